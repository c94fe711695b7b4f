"""The vendors' protocols: a package for each, what they share in `http`, and the registry that lists them."""
