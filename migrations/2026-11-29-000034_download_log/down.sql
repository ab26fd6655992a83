DROP INDEX dependencies_elsewhere;
DROP TABLE download_log_settings;
DROP TABLE download_log;
