"""Local disk, one file per blob."""
