//! The output of a round: a line in the format of monitoring plug-ins, or JSON.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::checks::finding::{Finding, Measure, Severity};
use crate::checks::worst;
use crate::package::characters::plain;

/// `SUPERCARGO STATUS - problems | measures`, worst problem first, in the format of monitoring plug-ins. Source: the
/// Monitoring Plugins Development Guidelines, "Plugin Output" and "Performance data".
pub fn line(findings: &[Finding]) -> String {
    let status = worst(findings);
    let mut wrong: Vec<&Finding> = findings.iter().filter(|finding| finding.severity > Severity::Ok).collect();
    wrong.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let text = match wrong.is_empty() {
        true => format!("{} checks", findings.iter().filter(|finding| finding.severity == Severity::Ok).count()),
        false => wrong.iter().map(|finding| finding.summary.as_str()).collect::<Vec<_>>().join("; "),
    };
    // A bar would end the text, and a line break the line.
    let text = text.replace('|', "/").split_whitespace().collect::<Vec<_>>().join(" ");
    let measures: Vec<String> =
        findings.iter().filter_map(|finding| Some(measure(finding.check, finding.measure.as_ref()?))).collect();
    let line = format!("SUPERCARGO {} - {}", status.word(), plain(&text));
    if measures.is_empty() { line } else { format!("{line} | {}", measures.join(" ")) }
}

fn measure(check: &str, Measure { value, unit, warning, critical }: &Measure) -> String {
    let limit = |limit: &Option<f64>| limit.map(|limit| limit.to_string()).unwrap_or_default();
    let text = format!("{check}={value}{unit};{};{}", limit(warning), limit(critical));
    text.trim_end_matches(';').to_owned()
}

/// The findings with all their details.
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
    fn a_line_has_the_worst_problem_first_and_every_measure() {
        let fine = Finding::new("dead_jobs", Severity::Ok, "no job is dead").measured(0.0, "", None, Some(0.0));
        let full = Finding::new("disk_bytes", Severity::Warning, "81.5% | used\nof it").measured(
            81.5,
            "%",
            Some(80.0),
            Some(90.0),
        );
        let late = Finding::new("oldest_job", Severity::Critical, "oldest job pending for 22m (limit 15m)").measured(
            1320.0,
            "s",
            Some(300.0),
            Some(900.0),
        );
        insta::assert_snapshot!(line(std::slice::from_ref(&fine)), @"SUPERCARGO OK - 1 checks | dead_jobs=0;;0");
        insta::assert_snapshot!(line(&[fine, full, late]), @"SUPERCARGO CRITICAL - oldest job pending for 22m (limit 15m); 81.5% / used of it | dead_jobs=0;;0 disk_bytes=81.5%;80;90 oldest_job=1320s;300;900");
    }

    #[test]
    fn skipped_checks_are_no_problem_but_no_checks_at_all_are() {
        let away = Finding::new("database", Severity::Critical, "unreachable");
        let skipped = Finding::skipped("dead_jobs", "the database is unreachable");
        insta::assert_snapshot!(line(&[away, skipped.clone()]), @"SUPERCARGO CRITICAL - unreachable");
        assert_eq!((worst(&[skipped]), worst(&[])), (Severity::Ok, Severity::Unknown));
    }
}
