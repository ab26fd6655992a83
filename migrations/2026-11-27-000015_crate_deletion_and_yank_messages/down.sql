ALTER TABLE versions DROP COLUMN yank_message;
ALTER TABLE crates DROP COLUMN name_released, DROP COLUMN deletion_reason, DROP COLUMN deleted_at;
