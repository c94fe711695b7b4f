"""The HTTP API: one module a dialect, and what they share: limits, signed URLs, serving blobs, tracing."""
