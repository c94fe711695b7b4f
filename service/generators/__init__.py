"""Writes the documents in `schemas/` from the code: `python -m service.generators`. A test compares them."""
