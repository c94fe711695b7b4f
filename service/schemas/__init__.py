"""Writes the documents in `schemas/` from the code: `python -m service.schemas`. A test compares them."""
