"""Summaries (P): notes of a transcription that clients order, by a template or by a prompt of their own."""
