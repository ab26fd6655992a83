//! The check of the registry's `/health/ready`.

use serde_json::json;

use crate::checks::finding::{Finding, Severity};
use crate::monitor::http::Http;
use crate::redact;

const ENDPOINT: &str = "endpoint";

pub fn check(http: &Http, url: &str) -> Finding {
    let url = format!("{url}/health/ready");
    let answered = http.get(&url);
    let url = redact::userinfo(&url);
    match answered {
        Ok(answer) if answer.status == 200 => Finding::new(ENDPOINT, Severity::Ok, "the registry is ready"),
        Ok(answer) => {
            let summary = format!("the registry is not ready: {url} answers {}", answer.status);
            Finding::new(ENDPOINT, Severity::Critical, summary).with(json!({ "answer": answer.text }))
        }
        Err(error) => {
            Finding::new(ENDPOINT, Severity::Critical, format!("the registry does not answer at {url}: {error}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_finding_names_the_url_without_the_password() {
        let finding = check(&Http::new(Duration::from_secs(10)), "http://me:secret@127.0.0.1:1");
        assert!(finding.summary.contains("http://127.0.0.1:1/health/ready"), "{}", finding.summary);
        assert!(!finding.summary.contains("secret"), "{}", finding.summary);
    }
}
