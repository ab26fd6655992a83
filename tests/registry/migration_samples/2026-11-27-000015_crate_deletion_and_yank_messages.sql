UPDATE versions SET yank_message = 'it loses data' WHERE id = 100;
INSERT INTO crates (name, deleted_at, deletion_reason, name_released) VALUES ('withdrawn', now(), 'published by mistake', true);
