-- Users who were asked to become owners of crates, and have not answered. One that has expired stays, so that its user learns why it
-- cannot be accepted.
CREATE TABLE owner_invitations (
    crate_id integer NOT NULL REFERENCES crates (id),
    user_id integer NOT NULL REFERENCES users (id),
    invited_by integer NOT NULL REFERENCES users (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (crate_id, user_id),
    CHECK (invited_by <> user_id)
);
CREATE INDEX owner_invitations_user_id ON owner_invitations (user_id);
CREATE INDEX owner_invitations_invited_by ON owner_invitations (invited_by);

-- Older programs would delete a crate and leave its invitations to those who take its name.
UPDATE schema_compatibility SET oldest = '20261129000028';
