"""`make bench-words`: how many words our engine gets right, and at what cost, beside two others in one run."""
