"""Where stores keep their tables: each in a SQLite file of its own, or in a schema of its own in PostgreSQL."""
