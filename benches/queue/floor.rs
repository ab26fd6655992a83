//! The floors: what the queue sends, recorded and made into scripts for pgbench.

use std::sync::Arc;

use supercargo::queue::{Enqueue, Job, Wakeups};

use crate::Outcome;
use crate::kinds::{Single, Source, record, registry_of_single, runner};
use crate::stage::Stage;

/// Adds one job, as [`Enqueue`] does.
pub fn enqueue(stage: &Stage) -> Outcome<String> {
    let mut connection = stage.connect()?;
    let record = record(&mut connection);
    Enqueue::new(&Single { number: 1 }).insert(&mut connection)?;
    let statements = record.lock().map_err(|_| "a panic while recording")?.clone();
    let [statement] = &statements[..] else { return Err(format!("not one statement: {statements:?}").into()) };
    let kind = format!("'{}'", Single::KIND);
    let channel = format!("'supercargo_wake_{}'", Single::KIND);
    let (no_text, payload) = ("NULL::text", "'{\"number\": 1}'::jsonb");
    let values = [&kind, &kind, no_text, payload, "0::smallint", no_text, no_text, no_text, "0", &channel];
    Ok(format!("{};\n", bind(statement, &values)?))
}

/// [`enqueue`] without the notification.
pub fn enqueue_silently(stage: &Stage) -> Outcome<String> {
    let loud = enqueue(stage)?;
    let silent = loud.replace(&format!(", pg_notify('supercargo_wake_{}', '')", Single::KIND), "");
    if silent == loud { Err(format!("where is the notification in {loud}?").into()) } else { Ok(silent) }
}

/// What a worker sends for one job, from the claim to the last commit.
pub fn record_of_a_job(stage: &Stage) -> Outcome<Vec<String>> {
    stage.fill(Single::KIND, 1)?;
    let records = Arc::default();
    let source = Source { url: stage.url(), records: Some(Arc::clone(&records)) };
    let (runner, heard) = runner(registry_of_single(1)?, source, Wakeups::default());
    let running = runner.start()?;
    heard.next()?;
    running.stop();
    stage.expect_done(1)?;
    let records = records.lock().map_err(|_| "a panic while recording")?;
    for record in records.iter() {
        let record = record.lock().map_err(|_| "a panic while recording")?;
        // Neither the watch nor the sweep finishes jobs. What stands before is the session's preparation, what stands
        // after is the next claim.
        if let Some(finish) = record.iter().position(|statement| statement.starts_with("WITH done")) {
            let end = record[finish..].iter().position(|statement| statement == "COMMIT").ok_or("no end")?;
            let is_claim = |statement: &String| statement.starts_with("WITH due");
            let begin = record.iter().position(is_claim).ok_or("no beginning")?;
            return Ok(record[begin..=finish + end].to_vec());
        }
    }
    Err("nobody finished the job".into())
}

/// The script that does the same for up to `size` jobs of a kind. What the runner reads, decides and sends back, the ids
/// and the claim numbers, goes through variables of pgbench as the text of arrays.
pub fn perform(recorded: &[String], kind: &str, size: usize) -> Outcome<String> {
    let (queue, kinds, size) = (format!("'{kind}'"), format!("'{{{kind}}}'::text[]"), size.to_string());
    let (ids, claim_nos) = (":ids::bigint[]", ":claim_nos::bigint[]");
    let details = format!("array_fill(NULL::text, ARRAY[{size}])");
    let mut script = String::new();
    for statement in recorded {
        let starts = |start: &str| statement.starts_with(start);
        script += &if ["BEGIN", "COMMIT", "SAVEPOINT ", "RELEASE "].into_iter().any(starts) {
            format!("{statement};\n")
        } else if starts("WITH due") {
            let (one, sizes) = ("'{1}'::int[]", format!("ARRAY[{size}]"));
            let values = [&queue, &kinds, &*size, &kinds, one, &sizes, "'{2}'::int[]", "'bench'", "3000"];
            let claim = bind(statement, &values)?;
            let (with, _) = claim.split_once(" SELECT id, kind, key, payload").ok_or("a claim without its rows")?;
            let columns = "array_agg(id) AS ids, array_agg(claim_no + 1) AS claim_nos, max(payload::text) AS payload";
            format!("{with} SELECT {columns} FROM placed JOIN touched ON touched_id = id \\gset\n")
        } else if starts("SELECT coalesce(array_agg(id)") {
            format!("{};\n", bind(statement, &[ids, claim_nos])?)
        } else if starts("WITH done") {
            let values = [ids, claim_nos, &details, "'bench'", &queue, "350::bigint", "'supercargo_finished'"];
            format!("{};\n", bind(statement, &values)?)
        } else {
            return Err(format!("the runner sends what the floor does not know: {statement}").into());
        };
    }
    Ok(script)
}

/// Puts values in the places of parameters.
fn bind(statement: &str, values: &[&str]) -> Outcome<String> {
    // From the last to the first, so that $1 is not found in $10.
    let bound = (1..=values.len())
        .rev()
        .fold(statement.to_owned(), |statement, number| statement.replace(&format!("${number}"), values[number - 1]));
    if bound.contains('$') { Err(format!("a parameter without a value: {bound}").into()) } else { Ok(bound) }
}
