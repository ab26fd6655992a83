//! The JSON of downloads by day.

use chrono::NaiveDate;
use serde::Serialize;
use utoipa::ToSchema;

use crate::database::catalog::downloads::OfDay;

/// Downloads of a version on one day.
#[derive(Serialize, ToSchema)]
pub struct VersionDownloads {
    /// The version's id.
    version: i32,
    downloads: i64,
    /// The day, in UTC.
    date: NaiveDate,
}

impl From<OfDay> for VersionDownloads {
    fn from(of_day: OfDay) -> Self {
        Self { version: of_day.version_id, downloads: of_day.downloads, date: of_day.day }
    }
}

/// Downloads on one day of the versions without counts of their own.
#[derive(Serialize, ToSchema)]
pub struct ExtraDownloads {
    date: NaiveDate,
    downloads: i64,
}

impl From<(NaiveDate, i64)> for ExtraDownloads {
    fn from((date, downloads): (NaiveDate, i64)) -> Self {
        Self { date, downloads }
    }
}
