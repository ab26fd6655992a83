//! What uploads take of memory and disk.
//!
//! A body that arrives is held in memory up to 1 MiB, as long as all that arrive have a quarter of the memory for uploads
//! or less; otherwise it goes to a file without a name, which is gone with the process. When it is complete it waits for
//! its share of the other three quarters, is loaded, and holds the share until the publish is answered. What waits holds
//! nothing that others wait for. A share is more than the body's size, because parsed metadata is many times as large as
//! its text: its brackets, commas and colons are counted as it arrives.
//!
//! Files are bounded as well, and so are the uploads of one user.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::web::ApiError;
use crate::web::bounds::Bound;
use crate::web::extract::body::Arriving;

/// The largest body that is held in memory while it arrives.
const IN_MEMORY: usize = 1024 * 1024;
/// How much memory or disk is taken at a time for a body that grows.
const STEP: u64 = 64 * 1024;
/// Files are as large as so many times the memory, together.
const DISK: u64 = 4;
/// What one bracket, comma or colon of metadata becomes in memory, in bytes.
const PARSED: u64 = 160;
/// What a publish takes in memory beside its body, in bytes.
const BESIDE: u64 = 512 * 1024;
/// Uploads of one user at the same time.
const OF_A_USER: u32 = 64;
/// Writes to the disk at the same time: others need the threads, too.
const WRITERS: usize = 8;
/// How long a complete body waits for memory.
const PATIENCE: Duration = Duration::from_secs(60);

/// Memory and disk for uploads. Cheap to clone.
#[derive(Clone)]
pub struct Uploads(Arc<Parts>);

struct Parts {
    directory: PathBuf,
    /// In KiB, as the others.
    arriving: Arc<Semaphore>,
    complete: Arc<Semaphore>,
    complete_in_all: u32,
    disk: Arc<Semaphore>,
    writers: Semaphore,
    of_users: Mutex<HashMap<i32, u32>>,
}

impl Uploads {
    /// So many bytes of memory, and files in this directory.
    pub fn new(memory: u64, directory: PathBuf) -> Self {
        let kib = |bytes: u64| u32::try_from(bytes / 1024).unwrap_or(u32::MAX);
        let semaphore = |kib: u32| Arc::new(Semaphore::new(kib as usize));
        let complete_in_all = kib(memory / 4 * 3);
        Self(Arc::new(Parts {
            directory,
            arriving: semaphore(kib(memory / 4)),
            complete: semaphore(complete_in_all),
            complete_in_all,
            disk: semaphore(kib(memory.saturating_mul(DISK))),
            writers: Semaphore::new(WRITERS),
            of_users: Mutex::default(),
        }))
    }

    /// Receives the body of a publish of this user.
    pub async fn receive(&self, user: (i32, &str), mut body: Arriving) -> Result<Upload, ApiError> {
        let of_user = self.of_user(user)?;
        let mut upload = Upload::new(self.clone(), of_user, body.expected());
        while let Some(piece) = body.next().await? {
            upload.push(piece).await?;
        }
        Ok(upload)
    }

    fn of_user(&self, (user_id, login): (i32, &str)) -> Result<OfUser, ApiError> {
        let mut of_users = self.0.of_users.lock();
        let uploads = of_users.entry(user_id).or_default();
        if *uploads >= OF_A_USER {
            Bound::UserUploads.met();
            return Err(ApiError::too_many(format!(
                "{OF_A_USER} publishes of `{login}` are under way: wait for some of them to be answered"
            )));
        }
        *uploads += 1;
        Ok(OfUser { uploads: self.clone(), user_id })
    }
}

/// An upload of a user, counted as long as this is there.
struct OfUser {
    uploads: Uploads,
    user_id: i32,
}

impl Drop for OfUser {
    fn drop(&mut self) {
        let mut of_users = self.uploads.0.of_users.lock();
        if let Some(uploads) = of_users.get_mut(&self.user_id) {
            *uploads -= 1;
            if *uploads == 0 {
                of_users.remove(&self.user_id);
            }
        }
    }
}

/// A body as far as it has come.
pub struct Upload {
    uploads: Uploads,
    of_user: OfUser,
    content: Content,
    length: u64,
    metadata: Structure,
}

enum Content {
    Memory(BytesMut, Share),
    Disk(File, Share),
}

impl Upload {
    fn new(uploads: Uploads, of_user: OfUser, expected: u64) -> Self {
        let share = Share::of(&uploads.0.arriving);
        let expected = usize::try_from(expected).unwrap_or(usize::MAX);
        // Address space and not memory: pages are taken as they are filled.
        let content = Content::Memory(BytesMut::with_capacity(expected.min(IN_MEMORY)), share);
        Self { uploads, of_user, content, length: 0, metadata: Structure::default() }
    }

    async fn push(&mut self, piece: Bytes) -> Result<(), ApiError> {
        self.metadata.count(&piece);
        self.length += piece.len() as u64;
        if let Content::Memory(buffer, share) = &mut self.content {
            if self.length <= IN_MEMORY as u64 && share.grow_to(self.length) {
                buffer.extend_from_slice(&piece);
                return Ok(());
            }
            let arrived = std::mem::take(buffer).freeze();
            let directory = self.uploads.0.directory.clone();
            let file = self.on_disk(move || tempfile::tempfile_in(directory)).await?;
            self.content = Content::Disk(file, Share::of(&self.uploads.0.disk));
            self.write(arrived).await?;
        }
        self.write(piece).await
    }

    async fn write(&mut self, piece: Bytes) -> Result<(), ApiError> {
        let Content::Disk(file, share) = &mut self.content else { return Ok(()) };
        if !share.grow_to(self.length) {
            Bound::UploadDisk.met();
            return Err(ApiError::busy("too many publishes are arriving at the moment: try again in a minute"));
        }
        let mut file = file.try_clone().map_err(ApiError::unavailable)?;
        self.on_disk(move || file.write_all(&piece)).await
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, ApiError> {
        let _writer = self.uploads.0.writers.acquire().await.map_err(ApiError::internal)?;
        tokio::task::spawn_blocking(work).await.map_err(ApiError::internal)?.map_err(ApiError::unavailable)
    }

    /// Waits for the memory that the publish takes.
    pub async fn complete(self) -> Result<CompleteUpload, ApiError> {
        let Parts { complete, complete_in_all, .. } = &*self.uploads.0;
        let needed = (self.length + self.metadata.found * PARSED + BESIDE).div_ceil(1024);
        let needed = u32::try_from(needed).unwrap_or(u32::MAX).min(*complete_in_all);
        let Ok(memory) = timeout(PATIENCE, Arc::clone(complete).acquire_many_owned(needed)).await else {
            Bound::UploadMemory.met();
            return Err(ApiError::busy("too many publishes wait to be carried out: try again in a minute"));
        };
        let memory = memory.map_err(ApiError::internal)?;
        Ok(CompleteUpload { content: self.content, length: self.length, _memory: memory, _of_user: self.of_user })
    }
}

/// A body that has come whole, and the memory for what is done with it, which is held until this is dropped.
pub struct CompleteUpload {
    content: Content,
    length: u64,
    _memory: OwnedSemaphorePermit,
    _of_user: OfUser,
}

impl CompleteUpload {
    /// The body, read from the disk if it is there.
    pub fn load(&mut self) -> Result<Bytes, ApiError> {
        match &mut self.content {
            Content::Memory(buffer, _) => Ok(std::mem::take(buffer).freeze()),
            Content::Disk(file, _) => {
                let mut content = Vec::with_capacity(usize::try_from(self.length).unwrap_or(0));
                file.rewind().map_err(ApiError::unavailable)?;
                file.read_to_end(&mut content).map_err(ApiError::unavailable)?;
                Ok(content.into())
            }
        }
    }
}

/// What a growing body has of memory or of disk.
struct Share {
    of: Arc<Semaphore>,
    permits: Vec<OwnedSemaphorePermit>,
    bytes: u64,
}

impl Share {
    fn of(semaphore: &Arc<Semaphore>) -> Self {
        Self { of: Arc::clone(semaphore), permits: Vec::new(), bytes: 0 }
    }

    /// False if there is not so much left. Nothing waits, so that nobody waits for somebody who waits.
    fn grow_to(&mut self, bytes: u64) -> bool {
        let Some(missing) = bytes.checked_sub(self.bytes).filter(|&missing| missing > 0) else { return true };
        let missing = missing.next_multiple_of(STEP);
        let kib = u32::try_from(missing / 1024).unwrap_or(u32::MAX);
        let Ok(permit) = Arc::clone(&self.of).try_acquire_many_owned(kib) else { return false };
        self.bytes += missing;
        match self.permits.first_mut() {
            Some(first) => first.merge(permit),
            None => self.permits.push(permit),
        }
        true
    }
}

/// Counts what the metadata of a publish is made of: its length is the first four bytes, and it follows them.
#[derive(Default)]
struct Structure {
    head: Vec<u8>,
    left: u64,
    found: u64,
}

impl Structure {
    fn count(&mut self, mut piece: &[u8]) {
        while self.head.len() < 4 {
            let Some((&first, rest)) = piece.split_first() else { return };
            piece = rest;
            self.head.push(first);
            if let Ok(length) = <[u8; 4]>::try_from(&self.head[..]) {
                self.left = u32::from_le_bytes(length).into();
            }
        }
        let here = usize::try_from(self.left).unwrap_or(usize::MAX).min(piece.len());
        self.left -= here as u64;
        let is_structure = |byte: &&u8| matches!(**byte, b',' | b':' | b'[' | b'{');
        self.found += piece[..here].iter().filter(is_structure).count() as u64;
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::HeaderMap;

    use super::*;

    const MIB: u64 = 1024 * 1024;

    fn run<T>(test: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
    }

    fn arriving(content: &[u8]) -> Arriving {
        Arriving::new(&HeaderMap::new(), Body::from(content.to_vec()), usize::MAX, String::new()).unwrap()
    }

    fn uploads(memory: u64) -> (tempfile::TempDir, Uploads) {
        let directory = tempfile::tempdir().unwrap();
        let uploads = Uploads::new(memory, directory.path().to_owned());
        (directory, uploads)
    }

    fn free(uploads: &Uploads) -> [usize; 3] {
        [&uploads.0.arriving, &uploads.0.complete, &uploads.0.disk].map(|semaphore| semaphore.available_permits())
    }

    async fn received(uploads: &Uploads, content: &[u8]) -> Upload {
        uploads.receive((1, "ann"), arriving(content)).await.unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn a_small_body_stays_in_memory_and_a_large_one_goes_to_a_file_without_a_name() {
        let (directory, uploads) = uploads(64 * MIB);
        let before = free(&uploads);
        run(async {
            for length in [0, 1, 4, 5, MIB, MIB + 1, 3 * MIB] {
                let content: Vec<u8> = (0..length).map(|place| (place % 251) as u8).collect();
                let upload = received(&uploads, &content).await;
                assert_eq!(matches!(upload.content, Content::Disk(..)), length > MIB, "{length}");
                let mut complete = upload.complete().await.unwrap_or_else(|error| panic!("{error}"));
                assert!(free(&uploads)[1] < before[1]);
                assert_eq!(complete.load().unwrap(), content);
                assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
            }
        });
        assert_eq!(free(&uploads), before);
    }

    #[test]
    fn what_arrives_goes_to_the_disk_when_memory_is_short_and_is_refused_when_that_is_short_too() {
        let (_directory, uploads) = uploads(MIB);
        run(async {
            let held: Vec<_> =
                [received(&uploads, &[0; 100_000]).await, received(&uploads, &[0; 100_000]).await].into();
            let third = received(&uploads, &[0; 100_000]).await;
            assert!(matches!(third.content, Content::Disk(..)));
            let refused = uploads.receive((1, "ann"), arriving(&vec![0; 5_000_000])).await.err().unwrap();
            assert_eq!(refused.status(), 503);
            drop(held);
        });
        assert_eq!(free(&uploads)[0], 256);
    }

    #[test]
    fn a_body_that_is_larger_than_the_memory_takes_all_of_it() {
        let (_directory, uploads) = uploads(2 * MIB);
        run(async {
            let complete = received(&uploads, &vec![0; 3_000_000]).await.complete().await;
            assert_eq!(free(&uploads)[1], 0);
            drop(complete);
            assert_eq!(free(&uploads)[1], 1536);
        });
    }

    #[test]
    fn one_user_has_so_many_uploads_and_others_have_theirs() {
        let (_directory, uploads) = uploads(MIB);
        let held: Vec<_> = (0..OF_A_USER).map(|_| uploads.of_user((1, "ann")).ok().unwrap()).collect();
        assert_eq!(uploads.of_user((1, "ann")).err().unwrap().status(), 429);
        assert!(uploads.of_user((2, "bob")).is_ok());
        drop(held);
        assert!(uploads.of_user((1, "ann")).is_ok());
        assert!(uploads.0.of_users.lock().is_empty());
    }

    #[test]
    fn what_metadata_is_made_of_is_counted_however_it_arrives() {
        let body = b"\x09\0\0\0[1,2,{:3],,,,,,";
        for size in 1..body.len() {
            let mut structure = Structure::default();
            body.chunks(size).for_each(|piece| structure.count(piece));
            assert_eq!(structure.found, 5, "{size}");
        }
    }
}
