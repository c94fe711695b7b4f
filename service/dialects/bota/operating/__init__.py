"""How the service stands (D): followers, work that waits, what is stored."""
