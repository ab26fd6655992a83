UPDATE dead_jobs SET key = 'of-a-crate' WHERE key IS NULL;
