//! The check of the registry's `/health/ready`.

use serde_json::json;

use crate::monitor::finding::{Finding, Severity};
use crate::monitor::http::Http;

const ENDPOINT: &str = "endpoint";

pub fn check(http: &Http, url: &str) -> Finding {
    let url = format!("{url}/health/ready");
    match http.get(&url) {
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
