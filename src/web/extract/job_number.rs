//! The number of a job in a path.

use std::num::IntErrorKind;

use super::path::as_in_a_url;
use crate::queue::JobId;
use crate::web::ApiError;
use crate::web::shortened::shortened;

/// The number of a job in a path, which is written in one way only.
pub fn job_id(id: &str) -> Result<JobId, ApiError> {
    let why = match id.parse::<JobId>() {
        Ok(number) if number.to_string() == id => return Ok(number),
        Ok(number) => format!("its number is written as {number}"),
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => {
            format!("the highest number is {}, so look for the job in the list of the queue", JobId::MAX)
        }
        Err(_) => "jobs have numbers, so look for the job in the list of the queue".to_owned(),
    };
    Err(ApiError::not_found(format!("there is no job `{}`: {why}", shortened(&as_in_a_url(id)))))
}

/// The error for a job that is not there.
pub fn no_job(id: JobId) -> ApiError {
    ApiError::not_found(format!(
        "there is no job {id}: it was never enqueued, or ended longer ago than the history is kept"
    ))
}
