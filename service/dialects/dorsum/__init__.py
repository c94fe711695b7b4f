"""Dorsum's notes transcription: speech in, a clinical note out (REFERENCE.md)."""
