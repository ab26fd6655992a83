//! `GET /crates/{name}/{version}/status/events`: the part of the page that changes, as a stream of events.
//!
//! An event `status` carries the part as HTML, at the beginning and whenever it changed; `end` carries the last one, when the
//! index shows what was requested. The stream waits for the ends of the jobs in the way in which requests wait: signals of
//! this process and notifications of others. Everything else, such as a failed attempt, is found by reading the state now and
//! then. While it waits, the stream holds no connection to the database and no thread.
//!
//! Each reading has the rights that the caller has then. A stream ends with the session or token that began it.
//!
//! Events have no ids, because each carries the whole state: `Last-Event-ID` means nothing here.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::asked::Asked;
use super::progress;
use crate::jobs::status::Status;
use crate::queue::JobId;
use crate::queue::wakeup::Registration;
use crate::web::answers::waiting::mirror_is_current;
use crate::web::extract::path::ApiPath;
use crate::web::limits::reads;
use crate::web::limits::status_streams::OpenStream;
use crate::web::pages::links::Links;
use crate::web::pages::visit::Visit;
use crate::web::views::StatusView;
use crate::web::{ApiError, App, ClientAddress};

/// How often the state is read without a signal.
const POLL: Duration = Duration::from_secs(3);
/// How often a comment is sent, so that proxies and clients do not take the stream for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// When a client begins another stream after the end of one.
const RETRY: Duration = Duration::from_secs(2);
/// How long a finished job waits for this machine's copy of the index.
const MIRROR: Duration = Duration::from_secs(5);

/// Begins a stream.
pub async fn follow(
    State(app): State<App>,
    visit: Visit,
    client: ClientAddress,
    ApiPath((name, num)): ApiPath<(String, String)>,
) -> Result<Response, ApiError> {
    let asked = Asked::new(&name, &num, &visit)?;
    let open = app.settings.status_streams.begin(client)?;
    let mut follower = Follower {
        app,
        links: visit.links().clone(),
        asked,
        signal: Arc::default(),
        registrations: HashMap::new(),
        is_due: false,
        last: None,
    };
    // What is wrong with the request is an answer, and not an event.
    let first = follower.read().await?;
    let begun = Stream { open, follower, first: Some(first), is_over: false };
    let events = Sse::new(stream::unfold(begun, Stream::next)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    // nginx would collect the events.
    let unbuffered = [(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"))];
    Ok((unbuffered, events).into_response())
}

struct Stream {
    open: OpenStream,
    follower: Follower,
    first: Option<StatusView>,
    is_over: bool,
}

impl Stream {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        if self.is_over {
            return None;
        }
        let first = self.first.take();
        let is_first = first.is_some();
        let (html, is_done) = tokio::select! {
            biased;
            () = self.open.ends() => return None,
            changed = self.follower.changed(first) => changed?,
        };
        self.is_over = is_done;
        let event = Event::default().event(if is_done { "end" } else { "status" }).data(html);
        let event = if is_first { event.retry(RETRY) } else { event };
        Some((Ok(event), self))
    }
}

/// Reads the state of a version again and again.
struct Follower {
    app: App,
    links: Links,
    asked: Asked,
    /// Notified when one of the jobs is done.
    signal: Arc<Notify>,
    registrations: HashMap<JobId, Registration>,
    /// A job was registered after the last reading, so that its end may have been missed.
    is_due: bool,
    /// What was sent last.
    last: Option<String>,
}

impl Follower {
    /// Waits until the part of the page is another one than the one that was sent last, and gives it, and whether it is the
    /// last one; None if the caller has lost the right to read it. `known` is a state that was read already.
    async fn changed(&mut self, mut known: Option<StatusView>) -> Option<(String, bool)> {
        loop {
            let view = match known.take() {
                Some(view) => view,
                None => {
                    if !std::mem::take(&mut self.is_due) {
                        self.wait().await;
                    }
                    match self.read().await {
                        Ok(view) => view,
                        Err(lost) if [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&lost.status()) => {
                            return None;
                        }
                        // The log has the cause. The next reading may succeed.
                        Err(_) => continue,
                    }
                }
            };
            let html = progress::part(&self.links, &view).into_string();
            if view.is_done() || self.last.as_ref() != Some(&html) {
                self.last = Some(html.clone());
                return Some((html, view.is_done()));
            }
        }
    }

    /// Waits for the end of a job, or for the time of the next reading.
    async fn wait(&self) {
        tokio::select! {
            () = self.signal.notified() => {
                // If another machine has run the job, this one may not show its result yet.
                let _ = timeout(MIRROR, mirror_is_current(&self.app)).await;
            }
            () = sleep(POLL) => {}
        }
    }

    async fn read(&mut self) -> Result<StatusView, ApiError> {
        let asked = self.asked.clone();
        let status = reads::only(self.app.with_connection(move |connection| asked.read(connection))).await?;
        self.register(&status);
        Ok(StatusView::new(status))
    }

    /// Registers for the ends of the jobs.
    fn register(&mut self, status: &Status) {
        let jobs: Vec<JobId> = status.jobs().collect();
        self.registrations.retain(|job, _| jobs.contains(job));
        for job in jobs {
            self.registrations.entry(job).or_insert_with(|| {
                self.is_due = true;
                let signal = Arc::clone(&self.signal);
                self.app.completions.register(job, move || signal.notify_one())
            });
        }
    }
}
