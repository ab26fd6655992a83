-- Release sets: versions that are staged, looked at, and published together or not at all.

-- Tokens that only stage, and those that approve.
ALTER TABLE api_tokens DROP CONSTRAINT api_tokens_scopes_check;
ALTER TABLE api_tokens ADD CONSTRAINT api_tokens_scopes_check CHECK (
    cardinality(scopes) > 0
    AND scopes <@ ARRAY['publish-new', 'publish-update', 'yank', 'change-owners', 'stage-new', 'stage-update', 'approve',
                        'read']);

CREATE TABLE release_sets (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- A part of URLs. It is used again only if nothing was ever staged: lock files name the URL of a set's index.
    name text NOT NULL UNIQUE CHECK (octet_length(name) BETWEEN 1 AND 64),
    title text,
    -- Whether everyone who may read the registry may read the set while it is open.
    is_preview boolean NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'approved', 'rejected', 'expired')),
    -- Whether it was made for the only version that a plain publish of its crate staged.
    is_of_publish boolean NOT NULL DEFAULT false,
    -- Raised by each change of what is staged.
    revision bigint NOT NULL DEFAULT 0,
    -- Null: an operator.
    created_by integer REFERENCES users (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    -- The login, or account@host of an operator; null for an expiry.
    ended_by text,
    -- Of a rejection.
    reason text,
    -- What was staged when the set ended.
    contents jsonb,
    CHECK ((state = 'open') = (ended_at IS NULL AND contents IS NULL))
);

CREATE INDEX release_sets_open ON release_sets (expires_at, id) WHERE state = 'open';

-- Versions in open sets. They are no versions yet, so nothing else that reads versions has to leave them out. The rows go
-- when the set ends; those of an approved set become versions in the same transaction.
CREATE TABLE staged_versions (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    set_id integer NOT NULL REFERENCES release_sets (id),
    name text NOT NULL,
    -- As in the table of crates.
    canonical_name text NOT NULL GENERATED ALWAYS AS (replace(lower(name), '-', '_')) STORED,
    num text NOT NULL,
    num_without_build text NOT NULL,
    -- Whether the registry had no such crate: then the name is taken, too.
    is_new_crate boolean NOT NULL,
    checksum bytea NOT NULL CHECK (octet_length(checksum) = 32),
    -- Bytes of the crate file.
    size bigint NOT NULL,
    -- With the time of the staging as its time of publication.
    index_line text NOT NULL,
    metadata jsonb NOT NULL,
    staged_by integer NOT NULL REFERENCES users (id),
    token_name text,
    address text,
    staged_at timestamptz NOT NULL DEFAULT now(),
    -- A number is taken while the set is open, and a name by its first number.
    UNIQUE (canonical_name, num_without_build)
);

CREATE INDEX staged_versions_set_id ON staged_versions (set_id);
CREATE INDEX staged_versions_checksum ON staged_versions (checksum);

-- Changes of published versions in open sets.
CREATE TABLE staged_changes (
    set_id integer NOT NULL REFERENCES release_sets (id),
    version_id integer NOT NULL REFERENCES versions (id),
    change text NOT NULL CHECK (change IN ('yank', 'unyank', 'delete')),
    -- Of a yank; the reason of a deletion.
    message text,
    staged_by integer NOT NULL REFERENCES users (id),
    staged_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (set_id, version_id)
);

-- Crates whose versions are published by approvals only: those of a pattern, or those that a team owns.
CREATE TABLE staging_rules (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- As it was given, for people.
    subject text NOT NULL UNIQUE CHECK (octet_length(subject) <= 80),
    -- The beginning of canonical names, or a whole one; null for a rule of a team.
    canonical text,
    is_prefix boolean NOT NULL,
    owned_by integer REFERENCES teams (id),
    -- How many users have to approve.
    approvals integer NOT NULL DEFAULT 1 CHECK (approvals BETWEEN 1 AND 20),
    -- Whether the approval of a user who staged a version does not count for it.
    by_another boolean NOT NULL,
    -- The team whose members approve; null: the users who may publish the crate.
    approved_by integer REFERENCES teams (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((canonical IS NULL) <> (owned_by IS NULL))
);

-- The approvals of open sets. One is of a revision, so a change of the set makes it void.
CREATE TABLE set_approvals (
    set_id integer NOT NULL REFERENCES release_sets (id),
    user_id integer NOT NULL REFERENCES users (id),
    -- An approval with a token that was revoked since does not count.
    token_id integer NOT NULL REFERENCES api_tokens (id) ON DELETE CASCADE,
    -- Whether the token gave the rights of an admin.
    as_admin boolean NOT NULL,
    revision bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (set_id, user_id)
);

-- The set whose approval last changed the desired state of the version. Versions of one set that are not as desired become so
-- in one move of the index.
ALTER TABLE versions ADD COLUMN release_set_id integer REFERENCES release_sets (id);
CREATE INDEX versions_release_set_id ON versions (release_set_id) WHERE release_set_id IS NOT NULL;

-- Each download asks whether any version is being deleted. With the index of all versions that are not as desired, whose size
-- the planner overestimates, it read the whole table on some registries.
CREATE INDEX versions_being_deleted ON versions (id) WHERE deletion_requested_at IS NOT NULL AND state <> 'deleted';

-- Older programs would publish numbers that are staged, and write a part of a set to the index.
UPDATE schema_compatibility SET oldest = '20261128000023';
