"""Tests at full size, too long for every run: `make soak-webhooks`."""
