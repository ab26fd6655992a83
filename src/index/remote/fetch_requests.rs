//! Requests to bring the mirror up to date with the remote, and callbacks for when that is done.
//!
//! Requests are numbered. The follower takes the newest number before it checks the remote, so the state it finds is at
//! least as new as every request up to that number.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// Requests to bring the mirror up to date.
#[derive(Default)]
pub struct FetchRequests {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The number of the newest request.
    requested: u64,
    /// The newest number that [`FetchRequests::next`] returned.
    taken: u64,
    stopped: bool,
    callbacks: Vec<(u64, Callback)>,
}

type Callback = Box<dyn FnOnce() + Send>;

impl FetchRequests {
    /// Requests an update.
    pub fn request(&self) {
        self.state.lock().requested += 1;
        self.changed.notify_all();
    }

    /// Requests an update and calls `callback` when one that began after this call has succeeded.
    pub fn request_and_notify(&self, callback: impl FnOnce() + Send + 'static) {
        let mut state = self.state.lock();
        state.requested += 1;
        let number = state.requested;
        state.callbacks.push((number, Box::new(callback)));
        self.changed.notify_all();
    }

    /// Waits for a request, but no longer than `at_most`, and returns the number for [`FetchRequests::complete`].
    /// `None` after [`FetchRequests::stop`].
    pub fn next(&self, at_most: Duration) -> Option<u64> {
        let until = Instant::now() + at_most;
        let mut state = self.state.lock();
        while !state.stopped
            && state.requested == state.taken
            && !self.changed.wait_until(&mut state, until).timed_out()
        {}
        state.taken = state.requested;
        (!state.stopped).then_some(state.taken)
    }

    /// Records that the update that began with this number has succeeded.
    pub fn complete(&self, number: u64) {
        let mut state = self.state.lock();
        let callbacks = std::mem::take(&mut state.callbacks);
        let (completed, waiting): (Vec<_>, Vec<_>) =
            callbacks.into_iter().partition(|(requested, _)| *requested <= number);
        state.callbacks = waiting;
        drop(state);
        completed.into_iter().for_each(|(_, callback)| callback());
    }

    /// Ends the follower.
    pub fn stop(&self) {
        self.state.lock().stopped = true;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn only_an_update_that_began_after_the_request_completes_it() {
        let requests = FetchRequests::default();
        let (sender, completed) = mpsc::channel();
        requests.request();
        let earlier = requests.next(Duration::ZERO).unwrap();
        requests.request_and_notify(move || sender.send(()).unwrap());
        requests.complete(earlier);
        assert!(completed.try_recv().is_err());
        let later = requests.next(Duration::from_secs(60)).unwrap();
        requests.complete(later);
        completed.try_recv().unwrap();
        requests.stop();
        assert_eq!(requests.next(Duration::from_secs(60)), None);
    }
}
