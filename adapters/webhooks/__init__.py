"""Outgoing webhooks: endpoints and deliveries in SQLite, signing, and sending to checked addresses only."""
