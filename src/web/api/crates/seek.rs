//! Where the next page of a list of crates begins.

use chrono::{DateTime, Datelike, Utc};
use serde::{Deserialize, Serialize};

use crate::database::catalog::crate_details::CountedCrate;
use crate::database::search::{After, Sort};
use crate::web::extract::seek::MAX_OFFSET;

/// The last crate of a page. Times are microseconds since 1970.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub(super) enum Seek {
    Name(String),
    New(i64, i32),
    RecentUpdates(i64, i32),
    Downloads(i64, i32),
    RecentDownloads(i64, i32),
    /// The number of crates so far: the rank of a match cannot be compared with those of another moment.
    Matches(u32),
}

impl Seek {
    /// The crate as the last one of a page of a list in this order.
    pub fn listed(sort: Sort, last: &CountedCrate) -> Self {
        let row = &last.row;
        match sort {
            Sort::Relevance | Sort::Alphabetical => Self::Name(row.name.canonical()),
            Sort::New => Self::New(row.created_at.timestamp_micros(), row.id),
            Sort::RecentUpdates => Self::RecentUpdates(row.updated_at.timestamp_micros(), row.id),
            Sort::Downloads => Self::Downloads(last.downloads, row.id),
            Sort::RecentDownloads => Self::RecentDownloads(last.recent_downloads, row.id),
        }
    }

    /// Where a list in this order goes on; None if this is of another list.
    pub fn after(&self, sort: Sort) -> Option<After> {
        Some(match (sort, self) {
            (Sort::Relevance | Sort::Alphabetical, Self::Name(name)) if is_name(name) => After::Name(name.clone()),
            (Sort::New, Self::New(at, id)) => After::New(time(*at)?, *id),
            (Sort::RecentUpdates, Self::RecentUpdates(at, id)) => After::Updated(time(*at)?, *id),
            (Sort::Downloads, Self::Downloads(downloads, id)) => After::Downloads(*downloads, *id),
            (Sort::RecentDownloads, Self::RecentDownloads(downloads, id)) => After::RecentDownloads(*downloads, *id),
            _ => return None,
        })
    }

    /// How many matches of a search come before; None if this is of a list.
    pub fn matches_before(&self) -> Option<u32> {
        match self {
            Self::Matches(before) if *before <= MAX_OFFSET => Some(*before),
            _ => None,
        }
    }
}

fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A time that the database has as well.
fn time(micros: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros).filter(|time| (1970..10_000).contains(&time.year()))
}
