"""Kafka: where it is, publishing in transactions, reading how far that has come, and creating the topic."""
