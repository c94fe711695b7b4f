"""Writes what is generated from the code, `schemas/` and a drawing: `python -m service.generators`. Tests compare."""
