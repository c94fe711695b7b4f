"""Who does a job: one at a time, of all that could."""
