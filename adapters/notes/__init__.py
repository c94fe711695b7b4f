"""Clinical notes out of transcripts."""
