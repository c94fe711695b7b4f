"""The full-text index over transcripts, in SQLite's FTS5. It knows words by keyed digests only, and keeps no text."""
