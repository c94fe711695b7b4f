"""Search in an end user's transcripts (P)."""
