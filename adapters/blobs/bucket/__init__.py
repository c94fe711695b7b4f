"""A bucket of S3, Google or Azure: small bodies share objects, large ones have their own."""
