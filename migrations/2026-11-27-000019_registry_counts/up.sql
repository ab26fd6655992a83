-- Numbers that requests show, so that no request counts crates: a row for each number that is not 0.
--
--   crates        crates in the index                   usable       those of which a version is not yanked
--   downloads     downloads of all crates               dependents   crates whose default version depends on this crate
--   keyword       crates with this keyword              category, subcategory   crates with this category or one below it
--   keywords      keywords that crates have             categories   topmost categories that crates have
CREATE TABLE registry_counts (
    kind text NOT NULL,
    name text NOT NULL,
    count bigint NOT NULL,
    -- When the first of the crates with a keyword or a category was created.
    since timestamptz,
    PRIMARY KEY (kind, name)
);
-- Some rows are written again with each new crate.
ALTER TABLE registry_counts SET (autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX registry_counts_order ON registry_counts (kind, count DESC, name) WHERE kind IN ('keyword', 'category');

-- What transactions that ran at the same time as another one add to these numbers; see change_registry_counts. Mostly
-- there are no rows.
CREATE TABLE registry_count_changes (
    kind text NOT NULL,
    name text NOT NULL,
    change bigint NOT NULL,
    -- When the crate was created that is counted from now on or no longer.
    since timestamptz
);

-- The numbers as they are. If one has changes, `since` may be wrong; see since_of.
CREATE VIEW registry_counts_now AS
SELECT kind, name, sum(count)::bigint AS count, min(since) AS since, bool_or(is_change) AS has_changes
FROM (SELECT kind, name, count, since, false AS is_change FROM registry_counts
      UNION ALL SELECT kind, name, change, since, true FROM registry_count_changes) AS parts
GROUP BY kind, name HAVING sum(count) <> 0;

-- The crates that the default version of a crate depends on, by canonical name.
CREATE TABLE crate_dependents (
    canonical_name text NOT NULL,
    -- The dependent.
    crate_id integer NOT NULL,
    PRIMARY KEY (crate_id, canonical_name)
);
CREATE INDEX crate_dependents_on ON crate_dependents (canonical_name, crate_id);

-- Keywords, and categories with those above them.
CREATE FUNCTION topics_of(keywords text[], categories text[]) RETURNS TABLE (kind text, name text) LANGUAGE sql IMMUTABLE AS $$
    SELECT DISTINCT 'keyword', word FROM unnest(keywords) AS word
    UNION ALL SELECT DISTINCT CASE depth WHEN 1 THEN 'category' ELSE 'subcategory' END, array_to_string(parts[:depth], '::')
    FROM unnest(categories) AS slug, string_to_array(slug, '::') AS parts, generate_series(1, cardinality(parts)) AS depth
$$;

-- What a crate counts for.
CREATE FUNCTION counted_for(
    version_count integer, yanked boolean, created_at timestamptz, keywords text[], categories text[]
) RETURNS TABLE (kind text, name text, since timestamptz) LANGUAGE sql STABLE AS $$
    SELECT 'crates', '', NULL::timestamptz WHERE version_count > 0
    UNION ALL SELECT 'usable', '', NULL WHERE version_count > 0 AND NOT yanked
    UNION ALL SELECT topics.kind, topics.name, created_at FROM topics_of(keywords, categories) AS topics
    WHERE version_count > 0
$$;

-- When the first crate with a keyword or a category was created, from the crates.
CREATE FUNCTION first_created_with(kind text, topic text) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT CASE kind
        WHEN 'keyword' THEN (SELECT min(created_at) FROM crates WHERE version_count > 0 AND keywords @> ARRAY[topic])
        ELSE (
            SELECT min(created_at) FROM crates WHERE version_count > 0 AND categories && ARRAY(
                SELECT slug FROM crate_categories
                WHERE slug = topic OR (slug >= topic || '::' AND slug < topic || ':;')))
    END
$$;

-- The same, from the numbers unless a crate has lost the keyword or the category just now.
CREATE FUNCTION since_of(topic_kind text, topic text) RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT coalesce(CASE WHEN has_lost THEN first_created_with(topic_kind, topic) END, least(counted, added))
    FROM (SELECT bool_or(change < 0) AS has_lost, min(since) FILTER (WHERE change > 0) AS added
          FROM registry_count_changes WHERE kind = topic_kind AND name = topic) AS changes,
         (SELECT min(since) AS counted FROM registry_counts WHERE kind = topic_kind AND name = topic) AS counted
$$;

-- Adds to the numbers. One transaction at a time writes the numbers themselves; the others do not wait, which could end in
-- a deadlock, and leave rows that the next one adds.
CREATE FUNCTION change_registry_counts(kinds text[], names text[], changes bigint[], sinces timestamptz[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    fewer_kinds text[];
    fewer_names text[];
    fewer_since timestamptz[];
BEGIN
    IF NOT pg_try_advisory_xact_lock(126948234064484) THEN
        INSERT INTO registry_count_changes SELECT * FROM unnest(kinds, names, changes, sinces);
        RETURN;
    END IF;
    WITH left_behind AS (
        DELETE FROM registry_count_changes RETURNING kind, name, change, since
    ), summed AS (
        SELECT kind, name, sum(change)::bigint AS change, min(since) FILTER (WHERE change > 0) AS since,
               bool_or(change < 0) AS has_lost, min(since) FILTER (WHERE change < 0) AS lost_since
        FROM (SELECT * FROM left_behind UNION ALL SELECT * FROM unnest(kinds, names, changes, sinces))
            AS every (kind, name, change, since)
        GROUP BY kind, name
    ), written AS (
        INSERT INTO registry_counts AS old (kind, name, count, since)
        SELECT kind, name, change, since FROM summed
        ON CONFLICT (kind, name) DO UPDATE SET count = old.count + excluded.count, since = least(old.since, excluded.since)
        RETURNING kind, name
    )
    SELECT array_agg(kind), array_agg(name), array_agg(lost_since) INTO fewer_kinds, fewer_names, fewer_since
    FROM written JOIN summed USING (kind, name) WHERE has_lost;
    IF fewer_kinds IS NULL THEN
        RETURN;
    END IF;
    DELETE FROM registry_counts USING unnest(fewer_kinds, fewer_names) AS fewer (kind, name)
    WHERE registry_counts.kind = fewer.kind AND registry_counts.name = fewer.name AND count = 0;
    UPDATE registry_counts SET since = coalesce(first_created_with(fewer.kind, fewer.name), registry_counts.since)
    FROM unnest(fewer_kinds, fewer_names, fewer_since) AS fewer (kind, name, since)
    WHERE registry_counts.kind = fewer.kind AND registry_counts.name = fewer.name
        AND fewer.since <= registry_counts.since;
END $$;

-- Writes the dependents of a crate whose default version is this one, or is none.
CREATE FUNCTION follow_dependencies(dependent integer, default_version integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    names text[];
    changes bigint[];
BEGIN
    -- Mostly a new version depends on the same crates.
    IF ARRAY(SELECT canonical_name FROM crate_dependents WHERE crate_id = dependent ORDER BY 1)
        = ARRAY(SELECT DISTINCT canonical_name FROM dependencies
                WHERE version_id = default_version AND registry IS NULL ORDER BY 1) THEN
        RETURN;
    END IF;
    WITH present AS (
        SELECT DISTINCT canonical_name FROM dependencies WHERE version_id = default_version AND registry IS NULL
    ), lost AS (
        DELETE FROM crate_dependents AS former WHERE crate_id = dependent
            AND NOT EXISTS (SELECT FROM present WHERE present.canonical_name = former.canonical_name)
        RETURNING canonical_name
    ), added AS (
        INSERT INTO crate_dependents (canonical_name, crate_id)
        SELECT canonical_name, dependent FROM present
        WHERE NOT EXISTS (
            SELECT FROM crate_dependents AS former
            WHERE former.canonical_name = present.canonical_name AND crate_id = dependent)
        RETURNING canonical_name
    )
    SELECT array_agg(canonical_name), array_agg(change) INTO names, changes
    FROM (SELECT canonical_name, 1 AS change FROM added UNION ALL SELECT canonical_name, -1 FROM lost) AS every;
    IF names IS NOT NULL THEN
        PERFORM change_registry_counts(
            array_fill('dependents'::text, ARRAY[cardinality(names)]), names, changes,
            array_fill(NULL::timestamptz, ARRAY[cardinality(names)]));
    END IF;
END $$;

-- The numbers of keywords and of topmost categories follow from the rows.
CREATE FUNCTION count_topic() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO registry_counts AS former (kind, name, count)
    VALUES (CASE coalesce(NEW.kind, OLD.kind) WHEN 'keyword' THEN 'keywords' ELSE 'categories' END, '',
            CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END)
    ON CONFLICT (kind, name) DO UPDATE SET count = former.count + excluded.count;
    RETURN NULL;
END $$;

-- The numbers as they should be.
CREATE VIEW registry_counts_expected AS
SELECT 'crates' AS kind, '' AS name, count(*) AS count, NULL::timestamptz AS since FROM crates
WHERE version_count > 0 HAVING count(*) > 0
UNION ALL
SELECT 'usable', '', count(*), NULL FROM crates WHERE version_count > 0 AND NOT yanked HAVING count(*) > 0
UNION ALL
SELECT topics.kind, topics.name, sum(alike.count)::bigint, min(alike.since)
FROM (SELECT keywords, count(*) AS count, min(created_at) AS since FROM crates
      WHERE version_count > 0 GROUP BY keywords) AS alike, topics_of(keywords, '{}') AS topics
GROUP BY topics.kind, topics.name
UNION ALL
SELECT topics.kind, topics.name, sum(alike.count)::bigint, min(alike.since)
FROM (SELECT categories, count(*) AS count, min(created_at) AS since FROM crates
      WHERE version_count > 0 GROUP BY categories) AS alike, topics_of('{}', categories) AS topics
GROUP BY topics.kind, topics.name
UNION ALL
SELECT CASE kind WHEN 'keyword' THEN 'keywords' ELSE 'categories' END, '', count(*), NULL FROM registry_counts
WHERE kind IN ('keyword', 'category') GROUP BY kind
UNION ALL
SELECT 'dependents', canonical_name, count(*), NULL FROM crate_dependents GROUP BY canonical_name
UNION ALL
SELECT 'downloads', '', sum(downloads)::bigint, NULL FROM crate_downloads HAVING sum(downloads) <> 0;

-- Triggers, so that no program that writes crates can forget the numbers. One statement changes many crates: what it adds is
-- summed before it is added. Crates that stay as they are, but for a new version, are left out.
CREATE FUNCTION count_changed_crates() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM change_registry_counts(array_agg(kind), array_agg(name), array_agg(change), array_agg(since))
    FROM (
        SELECT kind, name, sum(change)::bigint AS change, since
        FROM (
            SELECT kind, name, -1 AS change, since FROM (
                SELECT id, least(version_count, 1) AS shown, yanked, created_at, keywords, categories FROM former
                EXCEPT SELECT id, least(version_count, 1), yanked, created_at, keywords, categories FROM present
            ) AS lost, counted_for(shown, yanked, created_at, keywords, categories)
            UNION ALL
            SELECT kind, name, 1, since FROM (
                SELECT id, least(version_count, 1) AS shown, yanked, created_at, keywords, categories FROM present
                EXCEPT SELECT id, least(version_count, 1), yanked, created_at, keywords, categories FROM former
            ) AS gained, counted_for(shown, yanked, created_at, keywords, categories)
        ) AS every
        GROUP BY kind, name, since HAVING sum(change) <> 0
    ) AS changed HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE TRIGGER count_changed_crates AFTER UPDATE ON crates REFERENCING OLD TABLE AS former NEW TABLE AS present
    FOR EACH STATEMENT EXECUTE FUNCTION count_changed_crates();

-- Crates are inserted without versions, and seldom deleted.
CREATE FUNCTION count_crate() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    one crates := coalesce(NEW, OLD);
BEGIN
    PERFORM change_registry_counts(
        array_agg(kind), array_agg(name), array_agg(CASE TG_OP WHEN 'INSERT' THEN 1::bigint ELSE -1 END), array_agg(since))
    FROM counted_for(one.version_count, one.yanked, one.created_at, one.keywords, one.categories);
    RETURN NULL;
END $$;
CREATE TRIGGER count_new_crate AFTER INSERT ON crates FOR EACH ROW
    WHEN (NEW.version_count > 0) EXECUTE FUNCTION count_crate();
CREATE TRIGGER count_removed_crate AFTER DELETE ON crates FOR EACH ROW
    WHEN (OLD.version_count > 0) EXECUTE FUNCTION count_crate();

CREATE FUNCTION count_dependents() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM follow_dependencies(coalesce(NEW.id, OLD.id), NEW.default_version_id);
    RETURN NULL;
END $$;
CREATE TRIGGER count_dependents_of_new_crate AFTER INSERT ON crates FOR EACH ROW
    WHEN (NEW.default_version_id IS NOT NULL) EXECUTE FUNCTION count_dependents();
CREATE TRIGGER count_dependents AFTER UPDATE ON crates FOR EACH ROW
    WHEN (OLD.default_version_id IS DISTINCT FROM NEW.default_version_id) EXECUTE FUNCTION count_dependents();
CREATE TRIGGER count_dependents_of_removed_crate AFTER DELETE ON crates FOR EACH ROW
    WHEN (OLD.default_version_id IS NOT NULL) EXECUTE FUNCTION count_dependents();

-- Downloads are counted by the statement that adds them. Here only those that vanish with a crate.
CREATE FUNCTION count_removed_downloads() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM change_registry_counts('{downloads}', '{""}', ARRAY[-OLD.downloads], '{NULL}');
    RETURN NULL;
END $$;
CREATE TRIGGER count_removed_downloads AFTER DELETE ON crate_downloads FOR EACH ROW
    WHEN (OLD.downloads <> 0) EXECUTE FUNCTION count_removed_downloads();

CREATE TRIGGER count_topic AFTER INSERT ON registry_counts FOR EACH ROW
    WHEN (NEW.kind IN ('keyword', 'category')) EXECUTE FUNCTION count_topic();
CREATE TRIGGER count_removed_topic AFTER DELETE ON registry_counts FOR EACH ROW
    WHEN (OLD.kind IN ('keyword', 'category')) EXECUTE FUNCTION count_topic();

-- Counts everything. Who writes many crates at once disables the triggers and calls it at the end.
CREATE FUNCTION recount_registry() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- Each of the statements below has a snapshot of its own.
    LOCK TABLE crates, crate_downloads IN SHARE ROW EXCLUSIVE MODE;
    PERFORM pg_advisory_xact_lock(126948234064484);
    -- A trigger would count each keyword and category.
    ALTER TABLE registry_counts DISABLE TRIGGER USER;
    DELETE FROM registry_count_changes;
    DELETE FROM crate_dependents;
    DELETE FROM registry_counts;
    INSERT INTO crate_dependents (canonical_name, crate_id)
    SELECT DISTINCT dependencies.canonical_name, crates.id FROM crates JOIN dependencies ON version_id = default_version_id
    WHERE registry IS NULL;
    INSERT INTO registry_counts (kind, name, count, since) SELECT kind, name, count, since FROM registry_counts_expected;
    INSERT INTO registry_counts (kind, name, count)
    SELECT kind, name, count FROM registry_counts_expected WHERE kind IN ('keywords', 'categories');
    ALTER TABLE registry_counts ENABLE TRIGGER USER;
END $$;
SELECT recount_registry();
ANALYZE crate_dependents, registry_counts;

-- Every search reads the pending entries of these indexes one by one, and by default there are up to 4 MB of them.
ALTER INDEX crate_search_document SET (gin_pending_list_limit = 128);
ALTER INDEX crate_search_similar_name SET (gin_pending_list_limit = 64);
ALTER INDEX crates_by_keyword SET (gin_pending_list_limit = 64);
ALTER INDEX crates_by_category SET (gin_pending_list_limit = 64);
