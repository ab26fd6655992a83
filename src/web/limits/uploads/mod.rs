//! Limits on the memory and disk that uploads use.
//!
//! An arriving body of up to 1 MiB is held in memory, as long as all arriving bodies together use at most a quarter of
//! the memory for uploads. Otherwise it goes to an unnamed file, which the kernel removes with the process. A complete
//! body waits for its share of the other three quarters, is loaded, and holds the share until the publish is answered.
//! A waiting body holds nothing that others wait for, so uploads cannot deadlock. A share is larger than the body,
//! because parsed metadata is many times the size of its text: its brackets, commas and colons are counted while it
//! arrives.
//!
//! Files have a limit, too, and so has the number of uploads of one user.

mod budget;
mod metadata_size;
mod upload;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use self::budget::Budget;
pub use self::upload::{CompleteUpload, Upload, UploadedFile};
use super::permits::{Permit, Permits};
use crate::web::bounds::Bound;
use crate::web::error::ApiError;
use crate::web::extract::body::Arriving;

/// Uploads of one user at the same time.
const PER_USER: u32 = 64;

/// Receives uploads within their limits. Cheap to clone.
#[derive(Clone)]
pub struct Uploads {
    budget: Arc<Budget>,
    by_user: Permits<i32>,
}

impl Uploads {
    /// Uploads that use this many bytes of memory together, with their files in this directory.
    pub fn new(memory: u64, directory: PathBuf) -> Self {
        Self { budget: Arc::new(Budget::new(memory, directory)), by_user: Permits::new(PER_USER) }
    }

    /// Receives the body of a publish by this user.
    pub async fn receive(&self, user: (i32, &str), mut body: Arriving) -> Result<Upload, ApiError> {
        let permit = self.begin(user)?;
        let mut upload = Upload::new(Arc::clone(&self.budget), permit, body.expected());
        while let Some(piece) = body.next().await? {
            upload.push(piece).await?;
        }
        Ok(upload)
    }

    fn begin(&self, (user_id, login): (i32, &str)) -> Result<Permit<i32>, ApiError> {
        self.by_user.acquire(user_id).ok_or_else(|| {
            Bound::UserUploads.met();
            let detail =
                format!("`{login}` has {PER_USER} publishes in progress: wait until some of them are answered");
            ApiError::too_many(detail)
        })
    }
}
