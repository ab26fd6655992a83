DROP TABLE crate_categories;
DROP TABLE analysis_progress;
DROP TRIGGER await_analysis ON versions;
DROP FUNCTION await_analysis();
DROP TABLE pending_analyses;
ALTER TABLE versions DROP COLUMN linecounts;
