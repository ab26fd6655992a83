UPDATE versions SET linecounts = '{"languages": {"Rust": {"code_lines": 1, "comment_lines": 0, "files": 1}}, "total_code_lines": 1, "total_comment_lines": 0}';
INSERT INTO pending_analyses (version_id) SELECT id FROM versions ON CONFLICT DO NOTHING;
UPDATE analysis_progress SET versions_below = 7;
INSERT INTO crate_categories (slug) VALUES ('parsing'), ('parsing::json') ON CONFLICT DO NOTHING;
