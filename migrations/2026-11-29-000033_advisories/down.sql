DROP TABLE advisories;
DROP TABLE advisory_sources;
