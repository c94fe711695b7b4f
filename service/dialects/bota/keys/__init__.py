"""The keys of a project (D): what one may do, and with a secret key to list, make and revoke them."""
