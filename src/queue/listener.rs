//! Hears NOTIFY from other processes: new jobs for this one's workers, finished jobs for this one's waiting requests.
//!
//! It talks to libpq, the library under Diesel, because Diesel can't wait for a notification: its iterator returns at
//! once, and looking again every so often would spend the time that LISTEN is there to save. Here a thread sleeps in
//! `poll` on the connection's socket and on a pipe that ends it. Signals are hints, so a lost connection costs nothing
//! but latency: it is opened again, and everybody is woken once to look for themselves. A connection that went silent
//! without being closed (a router that forgot it, a machine that lost its power) is found by asking something now and
//! then, and waiting only so long for the answer.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::storage::{FINISHED_CHANNEL, wake_channel};
use super::{Completions, JobId, Wakeups};

/// Pause before a lost connection is opened again.
const RECONNECT: Duration = Duration::from_secs(1);
/// A statement is sent this often, so that a connection whose other end vanished without a word is noticed.
const PROBE: Duration = Duration::from_secs(10);
/// How long an answer may take before the connection counts as lost.
const ANSWER: Duration = Duration::from_secs(5);
/// The same for a new connection, in seconds.
const CONNECT_SECONDS: &CStr = c"5";

/// Somebody who wants to hear of another channel.
pub struct ChannelHandler {
    /// Its name.
    pub channel: &'static str,
    /// Called with each payload, and with an empty one when something may have been missed.
    pub heard: Box<dyn Fn(&str) + Send>,
}

/// A listening thread. Dropping it ends the thread.
pub struct Listener {
    /// Closing the writing end is the signal to stop.
    stop: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Listens for the wake-ups of `queues` and for finished jobs. `database_url` is what libpq takes: a URL or a
    /// keyword string.
    pub fn start(
        database_url: &str,
        queues: &[&str],
        wakeups: Wakeups,
        completions: Completions,
    ) -> std::io::Result<Self> {
        Self::start_probing(database_url, queues, wakeups, completions, PROBE, ANSWER)
    }

    /// The same for one more channel, which others give a meaning.
    pub fn start_with(
        database_url: &str,
        queues: &[&str],
        wakeups: Wakeups,
        completions: Completions,
        ear: ChannelHandler,
    ) -> std::io::Result<Self> {
        Self::listen(database_url, queues, Hearers { wakeups, completions, ear: Some(ear) }, PROBE, ANSWER)
    }

    /// The same, asking the database every `probe` whether it is still there, and waiting for its answer no longer than
    /// `answer`.
    pub fn start_probing(
        database_url: &str,
        queues: &[&str],
        wakeups: Wakeups,
        completions: Completions,
        probe: Duration,
        answer: Duration,
    ) -> std::io::Result<Self> {
        Self::listen(database_url, queues, Hearers { wakeups, completions, ear: None }, probe, answer)
    }

    fn listen(
        database_url: &str,
        queues: &[&str],
        hearers: Hearers,
        probe: Duration,
        answer: Duration,
    ) -> std::io::Result<Self> {
        let (stopped, stop) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
        let url = CString::new(database_url).map_err(std::io::Error::other)?;
        let others = [FINISHED_CHANNEL].into_iter().chain(hearers.ear.as_ref().map(|ear| ear.channel));
        let channels: Vec<_> =
            queues.iter().map(|queue| wake_channel(queue)).chain(others.map(str::to_owned)).collect();
        let thread = std::thread::Builder::new().name("listener".to_owned()).spawn(move || {
            loop {
                if let Some(connection) = Connection::open(&url, &channels, answer) {
                    hearers.may_have_missed();
                    if connection.hear(&stopped, &hearers, probe) == Ended::Stopped {
                        return;
                    }
                    tracing::warn!("the connection that hears notifications was lost; polling goes on meanwhile");
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

/// Who is told.
struct Hearers {
    wakeups: Wakeups,
    completions: Completions,
    ear: Option<ChannelHandler>,
}

impl Hearers {
    /// Nobody listened until now.
    fn may_have_missed(&self) {
        self.wakeups.wake();
        if let Some(ear) = &self.ear {
            (ear.heard)("");
        }
    }

    fn hear(&self, channel: &str, payload: &str) {
        match &self.ear {
            _ if channel == FINISHED_CHANNEL => {
                self.completions.finished(payload.split(',').filter_map(|id| id.parse::<JobId>().ok()));
            }
            Some(ear) if channel == ear.channel => (ear.heard)(payload),
            _ => self.wakeups.wake(),
        }
    }
}

#[derive(PartialEq, Eq)]
enum Ended {
    Stopped,
    Lost,
}

fn timeout(duration: Duration) -> PollTimeout {
    PollTimeout::try_from(duration).unwrap_or(PollTimeout::MAX)
}

/// Waits until the first or the second descriptor is readable or closed; answers which.
fn readable(stop: BorrowedFd<'_>, socket: Option<BorrowedFd<'_>>, at_most: PollTimeout) -> (bool, bool) {
    let mut fds = vec![PollFd::new(stop, PollFlags::POLLIN)];
    fds.extend(socket.map(|socket| PollFd::new(socket, PollFlags::POLLIN)));
    // EINTR and the like: the caller looks again.
    let _ = poll(&mut fds, at_most);
    let any = |fd: Option<&PollFd<'_>>| fd.and_then(PollFd::any).unwrap_or(false);
    (any(fds.first()), any(fds.get(1)))
}

/// One connection that listens, owned by one thread.
struct Connection {
    handle: *mut pq_sys::PGconn,
    /// How long an answer may take.
    answer: Duration,
}

#[allow(unsafe_code)]
mod ffi {
    //! Every call into libpq. Safety: the pointer comes from `PQconnectdbParams`, is used by one thread only, and is freed
    //! once, in `drop`; libpq accepts a null connection everywhere and answers "bad".

    use super::*;

    impl Connection {
        /// Connects and listens; None if that failed (it is tried again).
        pub(super) fn open(url: &CStr, channels: &[String], answer: Duration) -> Option<Self> {
            // What the URL says stands later, and wins.
            let keywords = [c"connect_timeout", c"application_name", c"dbname"].map(CStr::as_ptr);
            let values = [CONNECT_SECONDS, c"supercargo listener", url].map(CStr::as_ptr);
            let (keywords, values) =
                ([&keywords[..], &[std::ptr::null()]].concat(), [&values[..], &[std::ptr::null()]].concat());
            let connection =
                Self { handle: unsafe { pq_sys::PQconnectdbParams(keywords.as_ptr(), values.as_ptr(), 1) }, answer };
            if unsafe { pq_sys::PQstatus(connection.handle) } != pq_sys::ConnStatusType::CONNECTION_OK {
                return None;
            }
            channels.iter().all(|channel| connection.run(&format!("LISTEN \"{channel}\""))).then_some(connection)
        }

        pub(super) fn send(&self, statement: &CStr) -> bool {
            unsafe { pq_sys::PQsendQuery(self.handle, statement.as_ptr()) == 1 }
        }

        /// Whether the next result has not arrived as a whole.
        pub(super) fn is_busy(&self) -> bool {
            unsafe { pq_sys::PQisBusy(self.handle) == 1 }
        }

        /// The next result of a statement, which has arrived: whether it went well; None after the last one.
        pub(super) fn result(&self) -> Option<bool> {
            unsafe {
                let result = pq_sys::PQgetResult(self.handle);
                if result.is_null() {
                    return None;
                }
                let status = pq_sys::PQresultStatus(result);
                pq_sys::PQclear(result);
                Some(matches!(
                    status,
                    pq_sys::ExecStatusType::PGRES_COMMAND_OK | pq_sys::ExecStatusType::PGRES_EMPTY_QUERY
                ))
            }
        }

        pub(super) fn socket(&self) -> Option<BorrowedFd<'_>> {
            let socket = unsafe { pq_sys::PQsocket(self.handle) };
            // The descriptor belongs to the connection and lives as long as the borrow of it.
            (socket >= 0).then(|| unsafe { BorrowedFd::borrow_raw(socket) })
        }

        /// Reads what the socket holds; false when the connection is lost.
        pub(super) fn read(&self) -> bool {
            unsafe { pq_sys::PQconsumeInput(self.handle) == 1 }
        }

        /// The next notification that was read: its channel and payload.
        pub(super) fn next(&self) -> Option<(String, String)> {
            unsafe {
                let notification = pq_sys::PQnotifies(self.handle);
                let text = |pointer| CStr::from_ptr(pointer).to_string_lossy().into_owned();
                let heard = notification.as_ref().map(|notify| (text(notify.relname), text(notify.extra)));
                pq_sys::PQfreemem(notification.cast());
                heard
            }
        }
    }

    impl Drop for Connection {
        fn drop(&mut self) {
            unsafe { pq_sys::PQfinish(self.handle) }
        }
    }
}

impl Connection {
    /// Runs a statement without an answer of interest; false if it failed or was not answered in time.
    fn run(&self, statement: &str) -> bool {
        let Ok(statement) = CString::new(statement) else { return false };
        if !self.send(&statement) {
            return false;
        }
        let until = Instant::now() + self.answer;
        let mut good = true;
        loop {
            while self.is_busy() {
                let left = until.saturating_duration_since(Instant::now());
                let Some(socket) = self.socket().filter(|_| !left.is_zero()) else { return false };
                let arrived = poll(&mut [PollFd::new(socket, PollFlags::POLLIN)], timeout(left));
                if arrived.is_ok_and(|count| count > 0) && !self.read() {
                    return false;
                }
            }
            match self.result() {
                Some(one) => good &= one,
                None => return good,
            }
        }
    }

    fn hear(&self, stopped: &OwnedFd, hearers: &Hearers, probe: Duration) -> Ended {
        loop {
            while let Some((channel, payload)) = self.next() {
                hearers.hear(&channel, &payload);
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
