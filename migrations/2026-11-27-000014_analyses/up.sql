-- What crate files say beside their manifests, and which categories there are. Nothing here scans or rewrites `versions`.

-- The lines of code of a version, by language: null until its crate file was analysed.
ALTER TABLE versions ADD COLUMN linecounts jsonb;

-- Versions whose crate files are to be analysed. A trigger adds each new one, so that programs that do not know of
-- analyses, or that restore versions, leave none out.
CREATE TABLE pending_analyses (
    version_id integer PRIMARY KEY REFERENCES versions (id) ON DELETE CASCADE
);
CREATE FUNCTION await_analysis() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO pending_analyses (version_id) VALUES (NEW.id) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER await_analysis AFTER INSERT ON versions FOR EACH ROW EXECUTE FUNCTION await_analysis();

-- Versions that are older than this table are added to it in portions, the newest first: those with an id below this one
-- are still to come. One row.
CREATE TABLE analysis_progress (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    versions_below integer NOT NULL
);
INSERT INTO analysis_progress (versions_below) SELECT coalesce(max(id) + 1, 0) FROM versions;

-- The categories that crates name, or named once, in an order in which the subcategories of one are a range.
CREATE TABLE crate_categories (
    slug text COLLATE "C" PRIMARY KEY
);
INSERT INTO crate_categories (slug) SELECT DISTINCT unnest(categories) FROM crates;
