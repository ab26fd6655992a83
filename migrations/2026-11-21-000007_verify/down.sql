DROP INDEX versions_checksum;
DROP TABLE verify_reports;
