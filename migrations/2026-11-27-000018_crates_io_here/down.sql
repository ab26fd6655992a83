ALTER TABLE versions DROP COLUMN crates_io_here;
