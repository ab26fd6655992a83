//! `/queue`: the job queue, for admins.
//!
//! | file | content |
//! |---|---|
//! | [`admin`] | who may see and change it |
//! | [`overview`] | `/queue` |
//! | [`state`] | of it: health, counts, workers |
//! | [`history`] | of it: the last day, as plots and as a table |
//! | [`list`] | of it: jobs, filtered |
//! | [`job`] | `/queue/jobs/ID` |
//! | [`change`] | retry and discard, each behind a page that asks |
//! | [`retry_dead`] | the same for all dead jobs of a kind |
//! | [`words`] | what will happen to a job, and what is lost without it |
//! | [`known`] | the kinds of jobs of this program, and by what the queue's health is judged |
//! | [`live`] | parts that the script refreshes |

mod admin;
mod change;
mod history;
mod job;
mod known;
mod list;
mod live;
mod overview;
mod retry_dead;
mod state;
mod words;

use axum::Router;
use axum::routing::get;

use crate::web::App;

pub fn router() -> Router<App> {
    Router::new()
        .route("/queue", get(overview::show))
        .route("/queue/jobs/{id}", get(job::show))
        .route("/queue/jobs/{id}/retry", get(change::ask_retry).post(change::retry))
        .route("/queue/jobs/{id}/discard", get(change::ask_discard).post(change::discard))
        .route("/queue/retry-dead", get(retry_dead::ask).post(retry_dead::retry))
}
