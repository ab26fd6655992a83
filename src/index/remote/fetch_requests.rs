//! Who wants the mirror to catch up with the remote, and who waits until it has.
//!
//! Requests are numbered. Whoever looks takes the newest number first and then looks, so what it finds is at least as new as
//! every wish up to that number.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// Requests for a look at the remote.
#[derive(Default)]
pub struct FetchRequests {
    state: Mutex<State>,
    asked: Condvar,
}

#[derive(Default)]
struct State {
    asked: u64,
    taken: u64,
    stopped: bool,
    waiting: Vec<(u64, Box<dyn FnOnce() + Send>)>,
}

impl FetchRequests {
    /// Asks for a look, soon.
    pub fn ask(&self) {
        self.state.lock().asked += 1;
        self.asked.notify_all();
    }

    /// The same, and calls `told` when a look that began after this has gone well.
    pub fn ask_and_tell(&self, told: impl FnOnce() + Send + 'static) {
        let mut state = self.state.lock();
        state.asked += 1;
        let wish = state.asked;
        state.waiting.push((wish, Box::new(told)));
        self.asked.notify_all();
    }

    /// Waits for a wish, but no longer than this; answers the number to report to [`FetchRequests::done`]. None: it is over.
    pub fn take(&self, at_most: Duration) -> Option<u64> {
        let until = Instant::now() + at_most;
        let mut state = self.state.lock();
        while !state.stopped && state.asked == state.taken && !self.asked.wait_until(&mut state, until).timed_out() {}
        state.taken = state.asked;
        (!state.stopped).then_some(state.taken)
    }

    /// A look that was begun with this number went well.
    pub fn done(&self, number: u64) {
        let mut state = self.state.lock();
        let (told, waiting) = std::mem::take(&mut state.waiting).into_iter().partition(|(wish, _)| *wish <= number);
        state.waiting = waiting;
        drop(state);
        let told: Vec<(u64, Box<dyn FnOnce() + Send>)> = told;
        told.into_iter().for_each(|(_, tell)| tell());
    }

    /// Whoever looks ends.
    pub fn stop(&self) {
        self.state.lock().stopped = true;
        self.asked.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn only_a_look_that_began_after_the_wish_fulfils_it() {
        let looks = FetchRequests::default();
        let (told, heard) = mpsc::channel();
        looks.ask();
        let earlier = looks.take(Duration::ZERO).unwrap();
        looks.ask_and_tell(move || told.send(()).unwrap());
        looks.done(earlier);
        assert!(heard.try_recv().is_err());
        let later = looks.take(Duration::from_secs(60)).unwrap();
        looks.done(later);
        heard.try_recv().unwrap();
        looks.stop();
        assert_eq!(looks.take(Duration::from_secs(60)), None);
    }
}
