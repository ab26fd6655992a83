//! A look for people and monitoring systems, in a line as their plug-ins print it; and for scripts.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::finding::{Finding, Measure, Severity};
use crate::package::characters::plain;

/// The worst of what was found.
pub fn worst(findings: &[Finding]) -> Severity {
    findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Unknown).max(Severity::Ok)
}

/// `SUPERCARGO STATUS - what is wrong | measures`: the worst first, in the format of monitoring plug-ins. Source: the
/// Monitoring Plugins Development Guidelines, "Plugin Output" and "Performance data".
pub fn line(findings: &[Finding]) -> String {
    let status = worst(findings);
    let mut wrong: Vec<&Finding> = findings.iter().filter(|finding| finding.severity > Severity::Ok).collect();
    wrong.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let said = match wrong.is_empty() {
        true => format!("{} checks", findings.iter().filter(|finding| finding.severity == Severity::Ok).count()),
        false => wrong.iter().map(|finding| finding.summary.as_str()).collect::<Vec<_>>().join("; "),
    };
    // A bar ends the text, and a line break the line.
    let said = said.replace('|', "/").split_whitespace().collect::<Vec<_>>().join(" ");
    let measures: Vec<String> =
        findings.iter().filter_map(|finding| Some(measure(finding.check, finding.measure.as_ref()?))).collect();
    let line = format!("SUPERCARGO {} - {}", status.word(), plain(&said));
    if measures.is_empty() { line } else { format!("{line} | {}", measures.join(" ")) }
}

fn measure(check: &str, Measure { value, unit, warning, critical }: &Measure) -> String {
    let limit = |limit: &Option<f64>| limit.map(|limit| limit.to_string()).unwrap_or_default();
    let text = format!("{check}={value}{unit};{};{}", limit(warning), limit(critical));
    text.trim_end_matches(';').to_owned()
}

/// The same with everything that is known.
pub fn json(name: &str, at: DateTime<Utc>, findings: &[Finding], pages: &Value) -> Value {
    let status = worst(findings);
    json!({
        "name": name,
        "at": at.to_rfc3339_opts(SecondsFormat::Millis, true),
        "status": status,
        "code": status.exit_code(),
        "checks": findings,
        "pages": pages,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_the_worst_first_and_has_every_measure() {
        let fine = Finding::new("dead_jobs", Severity::Ok, "no job is dead").measured(0.0, "", None, Some(0.0));
        let full = Finding::new("disk_bytes", Severity::Warning, "81.5% | used\nof it").measured(
            81.5,
            "%",
            Some(80.0),
            Some(90.0),
        );
        let late = Finding::new("oldest_job", Severity::Critical, "oldest job waits for 22m (limit 15m)").measured(
            1320.0,
            "s",
            Some(300.0),
            Some(900.0),
        );
        insta::assert_snapshot!(line(std::slice::from_ref(&fine)), @"SUPERCARGO OK - 1 checks | dead_jobs=0;;0");
        insta::assert_snapshot!(line(&[fine, full, late]), @"SUPERCARGO CRITICAL - oldest job waits for 22m (limit 15m); 81.5% / used of it | dead_jobs=0;;0 disk_bytes=81.5%;80;90 oldest_job=1320s;300;900");
    }

    #[test]
    fn what_was_skipped_is_no_trouble_of_its_own_and_nothing_at_all_is() {
        let away = Finding::new("database", Severity::Critical, "away");
        let skipped = Finding::skipped("dead_jobs", "the database is away");
        insta::assert_snapshot!(line(&[away, skipped.clone()]), @"SUPERCARGO CRITICAL - away");
        assert_eq!((worst(&[skipped]), worst(&[])), (Severity::Ok, Severity::Unknown));
    }
}
