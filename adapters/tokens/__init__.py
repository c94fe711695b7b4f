"""Bearer tokens from other parties' identity providers: which issuers and keys are trusted, and verifying a token."""
