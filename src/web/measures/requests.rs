//! Requests by route: how many, how long, and how many are in progress.
//!
//! A request is counted once: when its answer begins, or as `aborted` when its client disconnects before. Each thread keeps
//! the handles of its metrics, so that counting neither allocates nor locks what other threads use.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use metrics::{Counter, Gauge, Histogram};

/// Requests by route, method and status.
const REQUESTS: &str = "supercargo_http_requests_total";
/// Seconds from a request's head to the head of its answer, by route and method.
const SECONDS: &str = "supercargo_http_request_seconds";
/// Requests whose answer has not begun.
const IN_PROGRESS: &str = "supercargo_http_requests_in_progress";

/// The route of requests that no route matches.
const UNMATCHED: &str = "unmatched";
/// The label of methods that no route has.
pub const OTHER: &str = "other";
/// The status of requests whose client disconnected before the answer.
const ABORTED: &str = "aborted";

pub(super) fn describe() {
    metrics::describe_counter!(
        REQUESTS,
        "Requests by route, method and status; aborted if the client disconnected before the answer"
    );
    metrics::describe_histogram!(
        SECONDS,
        metrics::Unit::Seconds,
        "Time from the head of a request to the head of its answer"
    );
    metrics::describe_gauge!(IN_PROGRESS, "Requests whose answer has not begun");
}

/// The metrics of one route and method.
struct Route {
    seconds: Histogram,
    /// By status; `None` is aborted. A route has few statuses.
    counters: Vec<(Option<StatusCode>, Counter)>,
}

#[derive(Default)]
struct Handles {
    in_progress: Option<Gauge>,
    /// By pattern and method.
    routes: HashMap<String, Vec<(&'static str, Route)>>,
}

thread_local! {
    static HANDLES: RefCell<Handles> = RefCell::default();
}

/// The label of a method. Clients can send any word as one.
pub fn label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        _ => OTHER,
    }
}

impl Handles {
    fn in_progress(&mut self) -> &Gauge {
        self.in_progress.get_or_insert_with(|| metrics::gauge!(IN_PROGRESS))
    }

    fn record(&mut self, pattern: &str, method: &'static str, status: Option<StatusCode>, seconds: f64) {
        if !self.routes.contains_key(pattern) {
            self.routes.insert(pattern.to_owned(), Vec::new());
        }
        let Some(methods) = self.routes.get_mut(pattern) else { return };
        let place = methods.iter().position(|(known, _)| *known == method).unwrap_or_else(|| {
            let seconds = metrics::histogram!(SECONDS, "route" => pattern.to_owned(), "method" => method);
            methods.push((method, Route { seconds, counters: Vec::new() }));
            methods.len() - 1
        });
        let route = &mut methods[place].1;
        route.seconds.record(seconds);
        let known = route.counters.iter().find(|(known, _)| *known == status);
        if let Some((_, counter)) = known {
            return counter.increment(1);
        }
        let text = status.map_or_else(|| ABORTED.to_owned(), |status| status.as_str().to_owned());
        let counter = metrics::counter!(REQUESTS, "route" => pattern.to_owned(), "method" => method, "status" => text);
        counter.increment(1);
        route.counters.push((status, counter));
    }
}

/// A request in progress. Dropping it counts it.
struct Measured {
    pattern: Option<MatchedPath>,
    method: &'static str,
    began: Instant,
    status: Option<StatusCode>,
}

impl Drop for Measured {
    fn drop(&mut self) {
        let pattern = self.pattern.as_ref().map_or(UNMATCHED, MatchedPath::as_str);
        HANDLES.with_borrow_mut(|handles| {
            handles.in_progress().decrement(1.0);
            handles.record(pattern, self.method, self.status, self.began.elapsed().as_secs_f64());
        });
    }
}

/// Counts a request that was answered at once.
pub fn answered(pattern: &'static str, method: &Method, status: StatusCode, began: Instant) {
    let seconds = began.elapsed().as_secs_f64();
    HANDLES.with_borrow_mut(|handles| handles.record(pattern, label(method), Some(status), seconds));
}

/// Measures a request.
pub async fn measure(request: Request, next: Next) -> Response {
    HANDLES.with_borrow_mut(|handles| handles.in_progress().increment(1.0));
    let mut measured = Measured {
        pattern: request.extensions().get::<MatchedPath>().cloned(),
        method: label(request.method()),
        began: Instant::now(),
        status: None,
    };
    let response = next.run(request).await;
    measured.status = Some(response.status());
    response
}
