-- A deleted crate keeps its row, and so its name and the numbers of its versions.
ALTER TABLE crates
    ADD COLUMN deleted_at timestamptz,
    ADD COLUMN deletion_reason text,
    -- Whether a deleted crate's name may be published again, as a new crate.
    ADD COLUMN name_released boolean NOT NULL DEFAULT false;

-- Why a version is yanked. It belongs to the desired state: an unyank removes it.
ALTER TABLE versions ADD COLUMN yank_message text;
