//! The log of downloads: what requests add to it.
//!
//! | file | content |
//! |---|---|
//! | `log` | the entries in memory |
//! | `downloader` | the client of a download, as handlers extract it |

mod downloader;
mod log;

pub use crate::web::answers::crate_file::VersionFile;
pub use log::{DownloadLog, Downloader, LogError};
