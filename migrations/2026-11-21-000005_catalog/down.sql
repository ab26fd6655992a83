-- The extension stays: others may use it.
DROP TABLE downloads_window;
DROP TABLE crate_downloads;
DROP TABLE version_downloads;
DROP TABLE version_downloads_by_day;
DROP TABLE crate_search;
DROP INDEX crates_by_category;
DROP INDEX crates_by_keyword;
DROP INDEX crates_by_update;
DROP INDEX crates_by_creation;
DROP INDEX crates_by_name;
ALTER TABLE crates
    DROP COLUMN default_version_id,
    DROP COLUMN max_stable_version,
    DROP COLUMN newest_version,
    DROP COLUMN description,
    DROP COLUMN homepage,
    DROP COLUMN documentation,
    DROP COLUMN repository,
    DROP COLUMN keywords,
    DROP COLUMN categories,
    DROP COLUMN yanked;
DROP TABLE dependencies;
ALTER TABLE versions DROP COLUMN manifest;
