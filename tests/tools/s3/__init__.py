"""A real S3 server for tests: versitygw (Apache 2.0), built from its source. It never syncs: it is for tests only."""
