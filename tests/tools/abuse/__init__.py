"""What hostile callers send: generators for tests and for `make soak-abuse`."""
