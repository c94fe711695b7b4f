"""Where bytes are kept: the port, and an adapter for each kind of storage."""
