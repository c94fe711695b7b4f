"""Real PostgreSQL servers for the tests, without a container."""
