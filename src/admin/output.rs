//! What commands print: tables for people, JSON for scripts, sentences and errors. Nothing else in this program writes to
//! standard output, so that no text of a database row, of another program or of another registry reaches a terminal with
//! characters that it obeys or does not show. A test holds the sources against that.

use std::fmt;
use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat, Utc};
use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;

use crate::package::characters::{PlainLines, plain, plain_json};

/// To the corner, and from there everything away.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// Prints a text and a line feed, as `println!` does.
macro_rules! say {
    ($($argument:tt)*) => { $crate::admin::output::print(format_args!($($argument)*)) };
}
pub(crate) use say;

/// Prints what went wrong, as `eprintln!` does, behind the program's name.
macro_rules! complain {
    ($($argument:tt)*) => { $crate::admin::output::print_error(format_args!($($argument)*)) };
}
pub(crate) use complain;

/// Behind [`say`].
pub(crate) fn print(text: fmt::Arguments<'_>) {
    println!("{}", PlainLines(&text.to_string()));
}

/// Behind [`complain`]. What another program said over several lines is set apart from the lines of this one.
pub(crate) fn print_error(text: fmt::Arguments<'_>) {
    eprintln!("supercargo: {}", PlainLines(&text.to_string().replace('\n', "\n    ")));
}

/// Prints rows under a header; columns are as wide as their content.
pub(crate) fn print_table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
    say!("{}", table(header, rows));
}

/// A table; each cell is one line.
pub(super) fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
    rows.into_iter().for_each(|row| {
        table.add_row(row.iter().map(|cell| plain(cell)));
    });
    table.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>().join("\n")
}

/// Prints a document over several lines.
pub(crate) fn print_json(value: &impl Serialize) -> serde_json::Result<()> {
    print_document(serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Prints a document on one line.
pub(crate) fn print_json_line(value: &impl Serialize) -> serde_json::Result<()> {
    print_document(serde_json::to_string(value)?);
    Ok(())
}

fn print_document(document: String) {
    println!("{}", plain_json(document));
}

/// Shows a text in place of everything on the terminal.
pub(super) fn show_screen(text: &str) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "{CLEAR}{}", PlainLines(text))?;
    out.flush()
}

/// Makes what was printed visible to whoever reads a pipe.
pub(crate) fn flush() -> io::Result<()> {
    io::stdout().flush()
}

/// A time to the second, or a dash.
pub(super) fn time(time: Option<DateTime<Utc>>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::characters::is_hidden;

    #[test]
    fn a_cell_is_one_line_whatever_it_holds() {
        let table = table(["A", "B"], [["x\u{1b}[31m\n\u{202e}y".to_owned(), "z".to_owned()]]);
        assert_eq!(table, "A                       B\nx\\u{1b}[31m\\n\\u{202e}y  z");
        assert_eq!(table.matches(is_hidden).collect::<String>(), "\n");
    }
}
