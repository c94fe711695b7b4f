"""What the dialects share to speak HTTP: limits, error tables, tracing, signed URLs, ranges, JSON, the reference."""
