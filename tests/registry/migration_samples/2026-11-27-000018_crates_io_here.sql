UPDATE versions SET crates_io_here = true WHERE id = (SELECT min(id) FROM versions);
