"""Local disk, many small blobs per file."""
