"""Tests at full size, too long for every run; tests/README.md lists them."""
