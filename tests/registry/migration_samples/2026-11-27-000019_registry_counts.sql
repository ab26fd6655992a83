UPDATE crates SET categories = '{parser::json}', yanked = true WHERE id = 3;
INSERT INTO registry_count_changes (kind, name, change, since) VALUES ('keyword', 'left', 1, now());
