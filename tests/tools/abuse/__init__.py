"""What hostile clients send: a module for each attack, for tests and for `make soak-abuse`."""
