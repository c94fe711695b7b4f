"""`make bench-ingest`: the real PUT of a chunk beside servers that promise less, alternating in one run."""
