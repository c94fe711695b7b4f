"""Bearer tokens of other parties' identity providers: whom we trust, with which keys, and what a token says."""
