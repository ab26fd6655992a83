//! The plans of a worker's statements.

use diesel::sql_types::{Array, Text};

use super::*;

#[derive(QueryableByName)]
struct Prepared {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    statement: String,
    #[diesel(sql_type = Array<Text>)]
    parameters: Vec<String>,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    #[diesel(column_name = "QUERY PLAN")]
    line: String,
}

/// A worker keeps its plans. They are made when the table is as it usually is: analysed when it had one row.
#[test]
fn a_plan_made_for_one_row_does_not_read_all_of_many() {
    let mut queue = Queue::new();
    queue.one("x");
    queue.sql("UPDATE jobs SET run_at = clock_timestamp() + interval '1 hour'");
    queue.sql("ANALYZE jobs");
    let mut worker = queue.database.connect();
    session::prepare(&mut worker, "w", "test", &Settings::default()).unwrap();
    let kinds = registry(Workers::OneInAll).claimable_kinds("test");
    let gap = Duration::from_secs(3);
    claim::touch_batch(&mut worker, "test", &kinds, "w", gap).unwrap();
    claim::lock_due(&mut worker, "test", &kinds.kinds, 1).unwrap();
    claim::touch(&mut worker, &[0], "w", gap).unwrap();
    claim::hold(&mut worker, &[(0, 1)], Some(gap)).unwrap();
    storage::finish(&mut worker, "test", &[(0, 1, None)], "w").unwrap();
    queue.sql(
        "INSERT INTO jobs (queue, kind, key, payload, requested_by, awaits_recovery)
         SELECT queue, 'one', number::text, '\"x\"', 'ann', queue = 'other' AND number % 10 = 0
         FROM generate_series(1, 30000) AS number, unnest(ARRAY['test', 'other']) AS queue",
    );
    session::Plans::fresh().renew(&mut worker, Duration::ZERO).unwrap();
    let renewed = plans(&mut worker);
    assert_eq!(renewed.len(), 5, "touch_batch, lock_due, touch, hold and finish");
    for (statement, plan) in renewed {
        // A kept plan has the parameters and not their values.
        assert!(plan.contains('$'), "{statement}\n{plan}");
        let wrong = ["Seq Scan on jobs", "jobs_by_key", "jobs_turn", "Filter: (id", "Filter: (queue"];
        assert!(!wrong.iter().any(|wrong| plan.contains(wrong)), "{statement}\n{plan}");
        let by_order = statement.contains("ORDER BY priority DESC, lap, id");
        let by_id = !by_order || statement.starts_with("WITH due");
        assert_eq!(plan.contains("jobs_pkey"), by_id, "{statement}\n{plan}");
        assert_eq!(plan.contains("Index Cond: (id = "), by_id, "{statement}\n{plan}");
    }
    // Which of the indexes that begin with the queue is the better one, only statistics can tell. PostgreSQL makes them
    // within a minute, and then plans again on its own.
    queue.sql("ANALYZE jobs");
    for (statement, plan) in plans(&mut worker) {
        let by_order = statement.contains("ORDER BY priority DESC, lap, id");
        let claims = plan.contains("Index Scan using jobs_in_claim_order");
        assert_eq!(claims, by_order, "{statement}\n{plan}");
        let recovers = statement.starts_with("WITH done");
        assert_eq!(plan.contains("jobs_awaiting_recovery"), recovers, "{statement}\n{plan}");
        assert!(!plan.contains("jobs_laps"), "{statement}\n{plan}");
    }
}

/// The statements that the session has prepared, and their plans.
fn plans(worker: &mut PgConnection) -> Vec<(String, String)> {
    let prepared: Vec<Prepared> = sql_query(
        "SELECT name, statement, parameter_types::text[] AS parameters FROM pg_prepared_statements
         WHERE statement LIKE '%jobs%' AND NOT statement LIKE '%pg_prepared_statements%' ORDER BY prepare_time",
    )
    .get_results(worker)
    .unwrap();
    let explain = |Prepared { name, statement, parameters }| {
        let values = vec!["NULL"; parameters.len()].join(", ");
        let lines: Vec<Line> = sql_query(format!("EXPLAIN EXECUTE \"{name}\" ({values})")).get_results(worker).unwrap();
        (statement, lines.into_iter().map(|line| line.line).collect::<Vec<_>>().join("\n"))
    };
    prepared.into_iter().map(explain).collect()
}
