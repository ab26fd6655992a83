UPDATE versions SET yank_message = 'it loses data' WHERE id = 100;
INSERT INTO crates (id, name, deleted_at, deletion_reason, name_released) VALUES (15, 'withdrawn', now(), 'published by mistake', true);
