"""Kafka: `connection` says where, `producer` publishes in transactions, `position` says how far, `topic` makes it."""
