//! `supercargo jobs watch`.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal};
use std::time::Duration;

use diesel::PgConnection;

use super::AdminError;
use super::jobs::describe;
use super::output::{flush, print_json_line, say, show_screen, table};
use crate::jobs;
use crate::package::characters::plain;
use crate::queue::inspection::{self, Gauges, JobView, Receipt, Selection};
use crate::queue::registry::RegistryError;

/// Lines of each list on the screen.
const LINES: i64 = 12;
/// How many history entries back to check for entries that became visible late.
const OVERLAP: i64 = 1000;

/// Shows the queue until the command is interrupted.
pub fn watch(connection: &mut PgConnection, interval: Duration, as_json: bool) -> Result<(), AdminError> {
    if io::stdout().is_terminal() && !as_json {
        let known = known()?;
        loop {
            let screen = screen(connection, &known)?;
            show_screen(&format!("{screen}\n(every {interval:?}; press Ctrl-C to stop)"))?;
            std::thread::sleep(interval);
        }
    }
    let mut follower = Follower::from_now(connection)?;
    loop {
        for receipt in follower.new_receipts(connection)? {
            if as_json {
                print_json_line(&receipt)?;
            } else {
                say!("{}", line(&receipt));
            }
        }
        flush()?;
        std::thread::sleep(interval);
    }
}

/// The kinds that are shown even without jobs.
fn known() -> Result<Vec<(&'static str, &'static str)>, RegistryError> {
    Ok(jobs::registry()?.kinds())
}

fn screen(connection: &mut PgConnection, known: &[(&str, &str)]) -> Result<String, AdminError> {
    let gauges = inspection::gauges(connection, known)?;
    let pending = inspection::list(connection, Selection::Pending, LINES)?;
    let latest = inspection::latest_receipts(connection, LINES)?;
    Ok(render(&gauges, &pending, &latest))
}

fn render(gauges: &[Gauges], pending: &[JobView], latest: &[Receipt]) -> String {
    let counts = gauges.iter().map(|gauge| {
        [
            gauge.queue.clone(),
            gauge.kind.clone(),
            gauge.pending.to_string(),
            gauge.running.to_string(),
            gauge.failing.to_string(),
            gauge.dead.to_string(),
            format!("{:.0} s", gauge.oldest_seconds),
        ]
    });
    let mut screen = table(["QUEUE", "KIND", "PENDING", "RUNNING", "FAILING", "DEAD", "OLDEST"], counts);
    screen.push_str(if pending.is_empty() { "\n\nNo jobs are pending.\n" } else { "\n\nNext:\n" });
    for job in pending {
        let key = job.key.as_deref().unwrap_or("-");
        let line = format!("{} {} {key} {}, {} attempts", job.id, job.kind, job.state, job.attempts);
        screen.push_str(&format!("  {}\n", plain(&line)));
    }
    screen.push_str(if latest.is_empty() { "\nNo job has ended yet.\n" } else { "\nLast:\n" });
    for receipt in latest {
        screen.push_str(&format!("  {}\n", line(receipt)));
    }
    screen
}

fn line(receipt: &Receipt) -> String {
    let text =
        format!("{} {} {} {}", receipt.id, receipt.kind, receipt.key.as_deref().unwrap_or("-"), describe(receipt));
    plain(&text.replace('\n', " ")).into_owned()
}

/// Follows the history.
struct Follower {
    newest: i64,
    shown: BTreeSet<i64>,
}

impl Follower {
    fn from_now(connection: &mut PgConnection) -> Result<Self, AdminError> {
        let shown: BTreeSet<i64> =
            inspection::latest_receipts(connection, OVERLAP)?.iter().map(|receipt| receipt.seq).collect();
        Ok(Self { newest: shown.last().copied().unwrap_or(0), shown })
    }

    fn new_receipts(&mut self, connection: &mut PgConnection) -> Result<Vec<Receipt>, AdminError> {
        let mut receipts = inspection::receipts_after(connection, self.newest.saturating_sub(OVERLAP))?;
        receipts.retain(|receipt| self.shown.insert(receipt.seq));
        self.newest = self.shown.last().copied().unwrap_or(self.newest);
        self.shown = self.shown.split_off(&self.newest.saturating_sub(OVERLAP));
        Ok(receipts)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn a_screen_has_counts_what_is_next_and_what_ended() {
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let (queue, kind, key) = ("index".to_owned(), "publish_version".to_owned(), Some("foo".to_owned()));
        let gauge = Gauges {
            queue: queue.clone(),
            kind: kind.clone(),
            pending: 2,
            running: 1,
            failing: 1,
            delayed: 0,
            dead: 0,
            oldest_seconds: 61.4,
        };
        let job = JobView {
            id: 7,
            state: "failing".to_owned(),
            queue: queue.clone(),
            kind: kind.clone(),
            key: key.clone(),
            requested_by: None,
            request_id: None,
            attempts: 2,
            created_at: at,
            run_at: Some(at),
            started_at: None,
            ended_at: None,
            worker: None,
            error: None,
            detail: None,
            payload: None,
        };
        let receipt = Receipt {
            seq: 1,
            id: 7,
            outcome: "failed".to_owned(),
            queue,
            kind,
            key,
            requested_by: None,
            request_id: None,
            attempts: 2,
            started_at: Some(at),
            finished_at: at + Duration::from_millis(12),
            finished_by: Some("host:1".to_owned()),
            error: Some("no space\nleft".to_owned()),
            detail: None,
        };
        insta::assert_snapshot!(render(&[gauge], &[job], &[receipt]), @r"
        QUEUE  KIND             PENDING  RUNNING  FAILING  DEAD  OLDEST
        index  publish_version  2        1        1        0     61 s

        Next:
          7 publish_version foo failing, 2 attempts

        Last:
          7 publish_version foo 2027-01-15T08:00:00Z failed, attempt 2, 12 ms, by host:1: no space left
        ");
        assert!(render(&[], &[], &[]).ends_with("No jobs are pending.\n\nNo job has ended yet.\n"));
    }

    #[test]
    fn a_hostile_row_stays_on_its_line_and_moves_no_cursor() {
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let hostile = || "x\u{1b}[2J\n\u{202e}".to_owned();
        let receipt = Receipt {
            seq: 1,
            id: 7,
            outcome: hostile(),
            queue: hostile(),
            kind: hostile(),
            key: Some(hostile()),
            requested_by: None,
            request_id: None,
            attempts: 2,
            started_at: None,
            finished_at: at,
            finished_by: Some(hostile()),
            error: Some(hostile()),
            detail: None,
        };
        let line = line(&receipt);
        assert_eq!(
            (line.matches("x\\u{1b}[2J \\u{202e}").count(), line.contains(crate::package::characters::is_hidden)),
            (5, false),
            "{line}"
        );
    }
}
