//! `/queue`: the job queue, for admins.
//!
//! | file | content |
//! |---|---|
//! | [`admin`] | who may see and change it |
//! | [`overview`] | `/queue` |
//! | [`state`] | of it: health, counts, workers |
//! | [`history`] | of it: the last day, as plots and as a table |
//! | [`list`] | of it: jobs, filtered |
//! | [`subject`] | the versions that jobs are about |
//! | [`job`] | `/queue/jobs/ID` |
//! | [`receipts`] | of it: what became of the job |
//! | [`change`] | retry and discard, each behind a page that asks |
//! | [`retry_dead`] | retry of all dead jobs of a kind |
//! | [`notice`] | what a change did, on the page that it leads to |
//! | [`words`] | what will happen to a job, and what is lost without it |
//! | [`known`] | the kinds of jobs of this program, and by what the queue's health is judged |
//! | [`live`] | parts that the script refreshes |

mod change;
mod history;
mod job;
mod known;
mod list;
mod live;
mod notice;
mod overview;
mod receipts;
mod retry_dead;
mod state;
mod subject;
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
