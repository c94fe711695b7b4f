"""A search index over transcripts, in SQLite or PostgreSQL. It knows words by keyed digests only; it keeps no text."""
