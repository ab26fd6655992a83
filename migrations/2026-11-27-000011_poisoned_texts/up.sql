-- Keywords and categories that were accepted although no index holds an entry of their length: the job that published the
-- version could not describe its crate, failed with `index row size … exceeds maximum …`, and was dead in the end. Programs
-- from this migration on leave such a text out of the description, so those jobs are run again.

WITH revived AS (
    DELETE FROM dead_jobs
    WHERE NOT ordered AND queue = 'index'
        AND (last_error ~ 'index row (size|requires) [0-9]+'
            -- Or its crate has such a text, whatever the database said of it, and in which language.
            OR EXISTS (
                SELECT FROM versions,
                    jsonb_array_elements_text(
                        CASE jsonb_typeof(manifest->'keywords') WHEN 'array' THEN manifest->'keywords' ELSE '[]' END
                        || CASE jsonb_typeof(manifest->'categories') WHEN 'array' THEN manifest->'categories' ELSE '[]' END) AS label
                WHERE crate_id = CASE WHEN payload->>'crate_id' ~ '^[0-9]{1,9}$' THEN (payload->>'crate_id')::integer END
                    AND octet_length(label) > 64))
    RETURNING *
), noted AS (
    INSERT INTO job_history (id, queue, kind, key, requested_by, request_id, created_at, attempts, finished_by, outcome)
    SELECT id, queue, kind, key, requested_by, request_id, created_at, attempts, 'the upgrade of the database', 'retried'
    FROM revived
)
INSERT INTO jobs (id, queue, kind, key, payload, priority, requested_by, request_id, created_at, claim_no, last_error)
SELECT id, queue, kind, key, payload, priority, requested_by, request_id, created_at, claim_no, last_error FROM revived;

-- Those that were still tried start anew, and at once. One that runs at this moment is left alone.
UPDATE jobs SET attempts = 0, run_at = clock_timestamp()
WHERE id IN (
    SELECT id FROM jobs
    WHERE turn IS NULL AND queue = 'index' AND attempts > 0
        AND (last_error ~ 'index row (size|requires) [0-9]+'
            -- Or its crate has such a text, whatever the database said of it, and in which language.
            OR EXISTS (
                SELECT FROM versions,
                    jsonb_array_elements_text(
                        CASE jsonb_typeof(manifest->'keywords') WHEN 'array' THEN manifest->'keywords' ELSE '[]' END
                        || CASE jsonb_typeof(manifest->'categories') WHEN 'array' THEN manifest->'categories' ELSE '[]' END) AS label
                WHERE crate_id = CASE WHEN payload->>'crate_id' ~ '^[0-9]{1,9}$' THEN (payload->>'crate_id')::integer END
                    AND octet_length(label) > 64))
    FOR NO KEY UPDATE SKIP LOCKED);

-- What is told of crates keeps within the limits that descriptions have from now on: see `About` in the program.
UPDATE crates SET
    description = left(description, 1000),
    homepage = CASE WHEN char_length(homepage) <= 2048 THEN homepage END,
    documentation = CASE WHEN char_length(documentation) <= 2048 THEN documentation END,
    repository = CASE WHEN char_length(repository) <= 2048 THEN repository END,
    keywords = ARRAY(
        SELECT label FROM unnest(keywords) WITH ORDINALITY AS labels (label, place)
        WHERE octet_length(label) <= 64 ORDER BY place LIMIT 5),
    categories = ARRAY(
        SELECT label FROM unnest(categories) WITH ORDINALITY AS labels (label, place)
        WHERE octet_length(label) <= 64 ORDER BY place LIMIT 5)
WHERE char_length(description) > 1000 OR char_length(homepage) > 2048 OR char_length(documentation) > 2048
    OR char_length(repository) > 2048 OR cardinality(keywords) > 5 OR cardinality(categories) > 5
    OR EXISTS (SELECT FROM unnest(keywords || categories) AS label WHERE octet_length(label) > 64);
