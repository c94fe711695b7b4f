"""Clinical notes from transcripts."""
