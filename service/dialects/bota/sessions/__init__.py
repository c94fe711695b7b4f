"""Ambient sessions (D), which clients of Dragon's API announce, with their recordings."""
