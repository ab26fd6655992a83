-- Of an import whose dependencies on crates.io became dependencies on this registry. The manifests say crates.io, so
-- without this a verification could not know which of the two the index line should say.
ALTER TABLE versions ADD COLUMN crates_io_here boolean NOT NULL DEFAULT false;
