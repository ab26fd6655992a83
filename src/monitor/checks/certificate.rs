//! The check of the registry's certificate chain: expiry.

use std::path::Path;
use std::time::Duration;

use openssl::asn1::Asn1Time;
use openssl::error::ErrorStack;
use openssl::x509::X509;
use serde_json::json;

use crate::checks::finding::{Finding, Severity, span};
use crate::config::Limit;

const CERTIFICATE: &str = "certificate";

pub fn check(file: &Path, limit: Limit<Duration>) -> Finding {
    let unreadable = |reason: String| {
        let summary = format!("cannot read the certificate in {}: {reason}", file.display());
        Finding::new(CERTIFICATE, Severity::Critical, summary)
    };
    let pem = match std::fs::read(file) {
        Ok(pem) => pem,
        Err(error) => return unreadable(error.to_string()),
    };
    match first_to_expire(&pem) {
        Ok(Some((left, at))) => judge(left, limit).with(json!({ "file": file, "expires": at })),
        Ok(None) => unreadable("the file holds no certificate".to_owned()),
        Err(error) => unreadable(error.to_string()),
    }
}

/// Seconds until the first certificate of the chain expires, and the date.
fn first_to_expire(pem: &[u8]) -> Result<Option<(f64, String)>, ErrorStack> {
    let now = Asn1Time::days_from_now(0)?;
    let mut ends = Vec::new();
    for certificate in X509::stack_from_pem(pem)? {
        let end = certificate.not_after();
        let left = now.diff(end)?;
        ends.push((f64::from(left.days) * 86_400.0 + f64::from(left.secs), end.to_string()));
    }
    Ok(ends.into_iter().min_by(|one, other| one.0.total_cmp(&other.0)))
}

fn judge(left: f64, limit: Limit<Duration>) -> Finding {
    let (warning, critical) = (limit.warning.as_secs_f64(), limit.critical.as_secs_f64());
    let severity = match left {
        left if left < critical => Severity::Critical,
        left if left < warning => Severity::Warning,
        _ => Severity::Ok,
    };
    let summary = match left {
        left if left < 0.0 => format!("the certificate expired {} ago", span(-left)),
        left => format!("the certificate expires in {}", span(left)),
    };
    Finding::new(CERTIFICATE, severity, summary).measured(left, "s", None, None)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    /// A certificate that ends in so many days and half an hour. OpenSSL reads a clock that can be some milliseconds behind.
    fn expiring_in(days: i64) -> String {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let end = chrono::Utc::now() + chrono::Duration::days(days) + chrono::Duration::minutes(30);
        parameters.not_after = std::time::SystemTime::from(end).into();
        parameters.self_signed(&key).unwrap().pem()
    }

    #[test]
    fn the_certificate_that_expires_first_counts() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("chain.pem");
        let day = Duration::from_secs(86_400);
        let limit = Limit { warning: 21 * day, critical: 7 * day };
        for (ends, severity) in [
            (vec![90, 400], Severity::Ok),
            (vec![90, 15], Severity::Warning),
            (vec![3, 400], Severity::Critical),
            (vec![400, -10], Severity::Critical),
        ] {
            std::fs::write(&file, ends.iter().map(|&days| expiring_in(days)).collect::<String>()).unwrap();
            let found = check(&file, limit);
            assert_eq!(found.severity, severity, "{ends:?}: {}", found.summary);
        }
        let expired = check(&file, limit).summary;
        assert!(expired.starts_with("the certificate expired 9days 23h ago"), "{expired}");
        std::fs::write(&file, "nothing").unwrap();
        assert_eq!(check(&file, limit).severity, Severity::Critical);
        assert!(check(&directory.path().join("missing"), limit).summary.contains("No such file"));
    }
}
