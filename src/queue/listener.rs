//! The LISTEN connection: notifications of other processes about new jobs and finished jobs.
//!
//! It calls libpq, the library under Diesel, because Diesel cannot wait for a notification: its iterator returns at once,
//! and polling it would cost the latency that LISTEN saves. Here a thread waits in `poll` for the connection's socket and
//! for a pipe that ends the thread. Notifications are hints, so a lost connection only costs latency: it is opened again,
//! and all workers are woken once. A connection that is silent without being closed (a router dropped it, a machine lost
//! power) is detected by an empty statement now and then, with a time limit for its answer.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::channels::{FINISHED_CHANNEL, queue_of, wake_channel};
use super::job::JobId;
use super::wakeup::{Completions, Wakeups};

/// Pause before a lost connection is opened again.
const RECONNECT: Duration = Duration::from_secs(1);
/// How often an empty statement is sent, to detect a connection that is silently dead.
const PROBE: Duration = Duration::from_secs(10);
/// The time limit for an answer, after which the connection counts as lost.
const ANSWER: Duration = Duration::from_secs(5);
/// The time limit for a new connection, in seconds.
const CONNECT_SECONDS: &CStr = c"5";

/// The server to listen at.
pub trait Server: Send + 'static {
    /// The URL or keyword string of libpq for the next connection.
    fn url(&mut self) -> String;

    /// A query of one text, by which a new connection is checked; None if none is.
    fn query(&self) -> Option<&'static str> {
        None
    }

    /// Checks the answer to the query, which is None if the server refuses one. The error says why the connection is not used.
    fn admit(&mut self, _answer: Option<&str>) -> Result<(), String> {
        Ok(())
    }

    /// Whether the connection may still be used.
    fn is_current(&self) -> bool {
        true
    }
}

/// A server that is not checked.
impl Server for String {
    fn url(&mut self) -> String {
        self.clone()
    }
}

/// A handler for another channel.
pub struct ChannelHandler {
    pub channel: &'static str,
    /// Called with each payload, and with an empty one when notifications may have been missed.
    pub handle: Box<dyn Fn(&str) + Send>,
}

/// A listening thread. Dropping it ends the thread.
pub struct Listener {
    /// The writing end of a pipe; closing it stops the thread.
    stop: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Listens for the wake-ups of `queues` and for finished jobs. `database_url` is a URL or a keyword string of libpq.
    pub fn start(
        database_url: &str,
        queues: &[&str],
        wakeups: Wakeups,
        completions: Completions,
    ) -> std::io::Result<Self> {
        Self::start_probing(database_url, queues, wakeups, completions, PROBE, ANSWER)
    }

    /// Listens at a server that is checked, perhaps for another channel as well.
    pub fn start_with(
        server: impl Server,
        queues: &[&str],
        wakeups: Wakeups,
        completions: Completions,
        handler: Option<ChannelHandler>,
    ) -> std::io::Result<Self> {
        Self::listen(server, queues, Receivers { wakeups, completions, handler }, PROBE, ANSWER)
    }

    /// Listens with other times: sends an empty statement every `probe` and waits no longer than `answer` for the result.
    pub fn start_probing(
        database_url: &str,
        queues: &[&str],
        wakeups: Wakeups,
        completions: Completions,
        probe: Duration,
        answer: Duration,
    ) -> std::io::Result<Self> {
        let receivers = Receivers { wakeups, completions, handler: None };
        Self::listen(database_url.to_owned(), queues, receivers, probe, answer)
    }

    fn listen(
        mut server: impl Server,
        queues: &[&str],
        receivers: Receivers,
        probe: Duration,
        answer: Duration,
    ) -> std::io::Result<Self> {
        let (stopped, stop) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
        let others = [FINISHED_CHANNEL].into_iter().chain(receivers.handler.as_ref().map(|handler| handler.channel));
        let channels: Vec<_> =
            queues.iter().map(|queue| wake_channel(queue)).chain(others.map(str::to_owned)).collect();
        let thread = std::thread::Builder::new().name("listener".to_owned()).spawn(move || {
            loop {
                if let Some(connection) = Connection::listen(&mut server, &channels, answer) {
                    receivers.may_have_missed();
                    match connection.receive(&stopped, &receivers, probe, &server) {
                        Ended::Stopped => return,
                        Ended::Lost => {
                            tracing::warn!(
                                "the LISTEN connection was lost and is opened again; workers poll meanwhile"
                            );
                        }
                        Ended::Outdated => {
                            tracing::warn!("the LISTEN connection is of a former primary and is opened again");
                        }
                    }
                }
                if readable(stopped.as_fd(), None, timeout(RECONNECT)).0 {
                    return;
                }
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was already reported by the panic hook.
            let _ = thread.join();
        }
    }
}

/// The receivers of notifications.
struct Receivers {
    wakeups: Wakeups,
    completions: Completions,
    handler: Option<ChannelHandler>,
}

impl Receivers {
    /// Wakes everything, since no connection listened until now.
    fn may_have_missed(&self) {
        self.wakeups.wake_all();
        if let Some(handler) = &self.handler {
            (handler.handle)("");
        }
    }

    fn notify(&self, channel: &str, payload: &str) {
        match &self.handler {
            _ if channel == FINISHED_CHANNEL => {
                self.completions.finished(payload.split(',').filter_map(|id| id.parse::<JobId>().ok()));
            }
            Some(handler) if channel == handler.channel => (handler.handle)(payload),
            _ => match queue_of(channel) {
                Some(queue) => self.wakeups.wake(queue),
                None => self.wakeups.wake_all(),
            },
        }
    }
}

/// How a connection ended.
enum Ended {
    Stopped,
    Lost,
    /// The server was replaced.
    Outdated,
}

fn timeout(duration: Duration) -> PollTimeout {
    PollTimeout::try_from(duration).unwrap_or(PollTimeout::MAX)
}

/// Waits until the first or the second descriptor is readable or closed, and gives the state of both.
fn readable(stop: BorrowedFd<'_>, socket: Option<BorrowedFd<'_>>, at_most: PollTimeout) -> (bool, bool) {
    let mut fds = vec![PollFd::new(stop, PollFlags::POLLIN)];
    fds.extend(socket.map(|socket| PollFd::new(socket, PollFlags::POLLIN)));
    // After an error such as EINTR the caller polls again.
    let _ = poll(&mut fds, at_most);
    let any = |fd: Option<&PollFd<'_>>| fd.and_then(PollFd::any).unwrap_or(false);
    (any(fds.first()), any(fds.get(1)))
}

/// One result of a statement.
struct Answer {
    succeeded: bool,
    /// The first column of the first row.
    text: Option<String>,
}

/// A libpq connection, owned by one thread.
struct Connection {
    handle: *mut pq_sys::PGconn,
    /// The time limit for an answer.
    answer: Duration,
}

#[expect(unsafe_code, reason = "calls libpq, which Diesel does not expose for notifications")]
mod ffi {
    //! Every call into libpq. The connection comes from `PQconnectdbParams`, is used by one thread only, and is freed once,
    //! in `drop`. libpq accepts a null connection everywhere and treats it as a failed one.

    use super::*;

    impl Connection {
        /// Connects; None if that fails.
        pub(super) fn open(url: &CStr, answer: Duration) -> Option<Self> {
            // Later keywords win, so the URL comes last.
            let keywords = [c"connect_timeout", c"application_name", c"dbname"].map(CStr::as_ptr);
            let values = [CONNECT_SECONDS, c"supercargo listener", url].map(CStr::as_ptr);
            let (keywords, values) =
                ([&keywords[..], &[std::ptr::null()]].concat(), [&values[..], &[std::ptr::null()]].concat());
            // SAFETY: both arrays end with null, and their texts outlive the call.
            let handle = unsafe { pq_sys::PQconnectdbParams(keywords.as_ptr(), values.as_ptr(), 1) };
            let connection = Self { handle, answer };
            // SAFETY: the connection is live.
            let status = unsafe { pq_sys::PQstatus(connection.handle) };
            (status == pq_sys::ConnStatusType::CONNECTION_OK).then_some(connection)
        }

        pub(super) fn send(&self, statement: &CStr) -> bool {
            // SAFETY: the connection is live, and the statement outlives the call.
            unsafe { pq_sys::PQsendQuery(self.handle, statement.as_ptr()) == 1 }
        }

        /// Whether the next result is incomplete.
        pub(super) fn is_busy(&self) -> bool {
            // SAFETY: the connection is live.
            unsafe { pq_sys::PQisBusy(self.handle) == 1 }
        }

        /// The next result, which has arrived; None after the last one.
        pub(super) fn result(&self) -> Option<Answer> {
            use pq_sys::ExecStatusType::{PGRES_COMMAND_OK, PGRES_EMPTY_QUERY, PGRES_TUPLES_OK};
            // SAFETY: the connection is live; the result is read before it is freed, and its text, which ends with a zero byte, is
            // copied.
            unsafe {
                let result = pq_sys::PQgetResult(self.handle);
                if result.is_null() {
                    return None;
                }
                let status = pq_sys::PQresultStatus(result);
                let has_text = status == PGRES_TUPLES_OK
                    && pq_sys::PQntuples(result) > 0
                    && pq_sys::PQgetisnull(result, 0, 0) == 0;
                let text =
                    has_text.then(|| CStr::from_ptr(pq_sys::PQgetvalue(result, 0, 0)).to_string_lossy().into_owned());
                pq_sys::PQclear(result);
                let succeeded = matches!(status, PGRES_COMMAND_OK | PGRES_EMPTY_QUERY | PGRES_TUPLES_OK);
                Some(Answer { succeeded, text })
            }
        }

        pub(super) fn socket(&self) -> Option<BorrowedFd<'_>> {
            // SAFETY: the connection is live.
            let socket = unsafe { pq_sys::PQsocket(self.handle) };
            // SAFETY: the descriptor belongs to the connection and lives as long as this borrow.
            (socket >= 0).then(|| unsafe { BorrowedFd::borrow_raw(socket) })
        }

        /// Reads from the socket; false if the connection is lost.
        pub(super) fn read(&self) -> bool {
            // SAFETY: the connection is live.
            unsafe { pq_sys::PQconsumeInput(self.handle) == 1 }
        }

        /// The channel and payload of the next notification that was read.
        pub(super) fn next(&self) -> Option<(String, String)> {
            // SAFETY: the connection is live; libpq allocated the notification and its texts, which are copied before it is freed.
            unsafe {
                let notification = pq_sys::PQnotifies(self.handle);
                let text = |pointer| CStr::from_ptr(pointer).to_string_lossy().into_owned();
                let received = notification.as_ref().map(|notify| (text(notify.relname), text(notify.extra)));
                pq_sys::PQfreemem(notification.cast());
                received
            }
        }
    }

    impl Drop for Connection {
        fn drop(&mut self) {
            // SAFETY: the connection is freed here and nowhere else.
            unsafe { pq_sys::PQfinish(self.handle) }
        }
    }
}

impl Connection {
    /// Connects, checks the server, and listens; None if that fails.
    fn listen(server: &mut impl Server, channels: &[String], answer: Duration) -> Option<Self> {
        let url = CString::new(server.url()).ok()?;
        let connection = Self::open(&url, answer)?;
        if let Some(query) = server.query() {
            let text = connection.results(query)?.into_iter().find_map(|answer| answer.text);
            // A session that has broken gives an error as well.
            if text.is_none() && !connection.run("") {
                return None;
            }
            if let Err(reason) = server.admit(text.as_deref()) {
                tracing::debug!(reason, "a server is not listened at");
                return None;
            }
        }
        channels.iter().all(|channel| connection.run(&format!("LISTEN \"{channel}\""))).then_some(connection)
    }

    /// Runs a statement and ignores its rows; false if it failed or was not answered in time.
    fn run(&self, statement: &str) -> bool {
        self.results(statement).is_some_and(|results| results.iter().all(|one| one.succeeded))
    }

    /// Runs a statement; None if it was not answered in time.
    fn results(&self, statement: &str) -> Option<Vec<Answer>> {
        let statement = CString::new(statement).ok()?;
        if !self.send(&statement) {
            return None;
        }
        let until = Instant::now() + self.answer;
        let mut results = Vec::new();
        loop {
            while self.is_busy() {
                let left = until.saturating_duration_since(Instant::now());
                let socket = self.socket().filter(|_| !left.is_zero())?;
                let arrived = poll(&mut [PollFd::new(socket, PollFlags::POLLIN)], timeout(left));
                if arrived.is_ok_and(|count| count > 0) && !self.read() {
                    return None;
                }
            }
            match self.result() {
                Some(one) => results.push(one),
                None => return Some(results),
            }
        }
    }

    /// Passes notifications on until the thread is stopped, the connection is lost or its server was replaced.
    fn receive(&self, stopped: &OwnedFd, receivers: &Receivers, probe: Duration, server: &impl Server) -> Ended {
        loop {
            while let Some((channel, payload)) = self.next() {
                receivers.notify(&channel, &payload);
            }
            if !server.is_current() {
                return Ended::Outdated;
            }
            let Some(socket) = self.socket() else { return Ended::Lost };
            let alive = match readable(stopped.as_fd(), Some(socket), timeout(probe)) {
                (true, _) => return Ended::Stopped,
                (false, true) => self.read(),
                (false, false) => self.run(""),
            };
            if !alive {
                return Ended::Lost;
            }
        }
    }
}
