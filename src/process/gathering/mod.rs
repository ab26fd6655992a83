//! Commands that bring versions of upstreams into the cache: several at the same time, with progress, until they are stopped.

mod cache;
mod git_names;
mod pinning;
mod progress;
mod summary;
mod wanted;

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

pub use cache::Cache;
pub use git_names::{CRATES_IO_GIT, names_in_git};
pub use pinning::Pinning;
pub use summary::{Summary, finish};
pub use wanted::{Locked, Wanted, upstream_of};

use crate::web::upstreams::{NotObtained, Resolved};
use progress::Progress;

/// What a run does with each version.
pub struct Gathering<'a> {
    pub cache: &'a Cache,
    /// The number of items that are worked on at the same time.
    pub concurrency: usize,
    /// Pins what is fetched, if it is to be pinned.
    pub pinning: Option<&'a Pinning<'a>>,
    /// Whether kept files are read and hashed.
    pub rehash: bool,
}

impl Gathering<'_> {
    /// Works on items until all are done, the command is stopped or nothing more can succeed. `nouns` is what items are called.
    pub fn each<T: Sync>(
        &self,
        items: &[T],
        nouns: &'static str,
        work: impl Fn(&T, &mut Summary) -> Result<(), NotObtained> + Sync,
    ) -> Summary {
        let (summary, next) = (Mutex::new(Summary::default()), AtomicUsize::new(0));
        let progress = Progress::new(nouns, items.len());
        std::thread::scope(|scope| {
            for _ in 0..self.concurrency.min(items.len()).max(1) {
                scope.spawn(|| {
                    while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if self.cache.is_stopped() || summary.lock().ended_by.is_some() {
                            break;
                        }
                        let mut of_item = Summary::default();
                        let done = work(item, &mut of_item);
                        let mut summary = summary.lock();
                        summary.add(of_item);
                        match done {
                            Ok(()) => progress.show(&mut summary),
                            Err(NotObtained::Stopped) => {}
                            Err(error) => drop(summary.ended_by.get_or_insert(error.to_string())),
                        }
                    }
                });
            }
        });
        let mut summary = summary.into_inner();
        summary.interrupted = self.cache.is_stopped() && summary.done < items.len();
        summary.left = items.len() - summary.done;
        summary
    }

    /// Brings the versions of lock files, or of pins, into the cache.
    pub fn run(&self, wanted: &[Wanted]) -> Summary {
        self.each(wanted, "versions", |one, summary| self.one(one, summary).map(drop))
    }

    /// Brings one version into the cache; None if it is missing, which is noted.
    pub fn one(&self, wanted: &Wanted, summary: &mut Summary) -> Result<Option<Resolved>, NotObtained> {
        let Wanted { upstream, name, version, .. } = wanted;
        let stopped = || self.cache.is_stopped();
        let resolved = match self.cache.upstreams.resolve(upstream, (name, version), &stopped) {
            Ok(resolved) => resolved,
            Err(error) => return summary.note(&wanted.label(), error).map(|()| None),
        };
        if let Some(why) = wanted.contradiction(&resolved) {
            return summary.note(&wanted.label(), NotObtained::Failed(why)).map(|()| None);
        }
        Ok(self.file(upstream, &resolved, summary)?.then_some(resolved))
    }

    /// Brings the file of a version into the cache; false if it is missing, which is noted.
    pub fn file(&self, upstream: &str, version: &Resolved, summary: &mut Summary) -> Result<bool, NotObtained> {
        // Before it is fetched: nothing removes it in between.
        if let Some(pinning) = self.pinning {
            summary.pinned += u64::from(pinning.pin(upstream, version)?);
        }
        let stopped = || self.cache.is_stopped();
        match self.cache.upstreams.obtain(upstream, version, (self.rehash, &stopped)) {
            Ok(obtained) => {
                summary.obtained(obtained);
                Ok(true)
            }
            Err(error) => {
                let label = format!("{}@{} of {upstream}", version.name, version.version);
                summary.note(&label, error).map(|()| false)
            }
        }
    }
}
