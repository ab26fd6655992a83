//! Lines that stay when a crate's file is rendered from its rows.

use super::lines::{is_same, lines};
use crate::database::catalog::versions::DesiredLine;
use crate::package::CrateName;

/// Appends the lines of `before` whose versions have no row to the rendered file, and returns their number.
pub(in crate::jobs) fn append(rendered: &mut String, rows: &[DesiredLine], before: &[u8]) -> usize {
    let mut kept = Vec::new();
    for (line, version) in lines(before) {
        let (false, Ok(text)) = (rows.iter().any(|row| is_same(&row.num, &version)), std::str::from_utf8(line)) else {
            continue;
        };
        rendered.push_str(text);
        rendered.push('\n');
        kept.push(version.to_string());
    }
    if let (false, Some(name)) = (kept.is_empty(), rows.first().map(|row| &row.crate_name)) {
        warn(name, &kept);
    }
    kept.len()
}

fn warn(name: &CrateName, versions: &[String]) {
    tracing::warn!(
        "crate" = %name, ?versions,
        "the index has versions that the database has lost; their lines stay: run `supercargo verify --repair`, which \
         restores their rows"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i32, num: &str, deleted: bool) -> DesiredLine {
        DesiredLine {
            crate_id: 1,
            crate_name: "foo".parse().unwrap(),
            version_id: id,
            num: num.parse().unwrap(),
            index_line: format!(r#"{{"vers":"{num}"}}"#),
            yanked: false,
            deleted,
            release_set: None,
        }
    }

    #[test]
    fn lines_without_a_row_stay_byte_for_byte() {
        let rows = [row(1, "1.0.0", false), row(2, "1.1.0", true), row(3, "1.2.0+build", false)];
        let line = |num: &str| format!("{{ \"vers\": \"{num}\",\"cksum\":\"{}\"}}\n", "0a".repeat(32));
        let lost = line("1.3.0");
        let others = [line("1.0.0"), line("1.1.0"), "not a line\n".to_owned(), "{\"vers\":\"9.9.9\"}\n".to_owned()];
        let before = [others.concat(), lost.clone(), line("1.2.0")].concat();
        let mut rendered = "rendered\n".to_owned();
        assert_eq!(append(&mut rendered, &rows, before.as_bytes()), 1);
        assert_eq!(rendered, format!("rendered\n{lost}"));
    }
}
