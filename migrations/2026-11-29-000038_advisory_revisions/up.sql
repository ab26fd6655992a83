-- Security advisories of this registry about its own crates: what was published, and every change of it. What an advisory
-- says is its last revision. The git repository of the advisories has a commit for each of them, in the order of their numbers.
CREATE TABLE advisory_revisions (
    number bigint PRIMARY KEY CHECK (number > 0),
    advisory_id text NOT NULL CHECK (octet_length(advisory_id) BETWEEN 1 AND 100),
    content jsonb NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX advisory_revisions_of_one ON advisory_revisions (advisory_id, number);

-- They are looked up among those about upstreams, and have the empty name for one.
ALTER TABLE advisories DROP CONSTRAINT advisories_upstream_check;
ALTER TABLE advisories ADD CONSTRAINT advisories_upstream_check CHECK (upstream = '' OR upstream ~ '^[a-z0-9-]{1,40}$');
