//! The ids of the files of a batch.
//!
//! libgit2 detects the known attacks on SHA-1. That takes two milliseconds for the file of 3,000 versions, so a large file is
//! hashed by the processor's instructions, in half a millisecond, while another thread lets libgit2 hash it. The batch asks
//! that thread before git can read the pack.

use std::thread::{self, JoinHandle};

use bytes::Bytes;
use git2::Oid;

use super::object_id;

/// The size in bytes from which another thread is worth it.
const LARGE: usize = 64 * 1024;
/// The most threads of a batch.
const THREADS: usize = 4;

/// The ids that other threads compute.
#[derive(Default)]
pub(super) struct FileIds {
    expected: Vec<(Oid, JoinHandle<Result<Oid, git2::Error>>)>,
}

impl FileIds {
    /// The id of a file. That of a large file is to be [confirmed](FileIds::confirm).
    pub fn of(&mut self, content: &Bytes) -> Result<Oid, git2::Error> {
        let thread = if content.len() < LARGE || self.expected.len() >= THREADS { None } else { hash(content.clone()) };
        let Some(thread) = thread else { return object_id::blob(content) };
        let id = object_id::blob_unchecked(content);
        self.expected.push((id, thread));
        Ok(id)
    }

    /// Waits for the other threads. An error if a file is an attack.
    pub fn confirm(self) -> Result<(), git2::Error> {
        for (expected, thread) in self.expected {
            let found = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            if found != expected {
                return Err(git2::Error::from_str(&format!("a file has two SHA-1s: {expected} and {found}")));
            }
        }
        Ok(())
    }
}

/// Starts to hash a file; `None` if the system starts no thread.
fn hash(content: Bytes) -> Option<JoinHandle<Result<Oid, git2::Error>>> {
    thread::Builder::new().name("hash".to_owned()).spawn(move || object_id::blob(&content)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_the_ids_of_git_and_other_threads_confirm_them() {
        let mut ids = FileIds::default();
        for size in [0, LARGE - 1, LARGE, LARGE + 1, LARGE, LARGE, LARGE, 3 * LARGE] {
            let content = Bytes::from(vec![7; size]);
            assert_eq!(ids.of(&content).unwrap(), object_id::blob(&content).unwrap());
        }
        assert_eq!(ids.expected.len(), THREADS);
        ids.confirm().unwrap();
    }

    #[test]
    fn a_file_that_another_thread_does_not_confirm_is_an_error() {
        let mut ids = FileIds::default();
        ids.of(&Bytes::from(vec![7; LARGE])).unwrap();
        ids.expected[0].0 = Oid::ZERO_SHA1;
        let error = ids.confirm().unwrap_err().to_string();
        assert!(error.contains("two SHA-1s: 0000000000000000000000000000000000000000 and "), "{error}");
    }
}
