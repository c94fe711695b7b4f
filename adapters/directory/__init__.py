"""The directory of end users and devices: a port, and SQLite."""
