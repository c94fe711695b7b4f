"""A bucket that speaks S3: small bodies share objects, large ones have their own."""
