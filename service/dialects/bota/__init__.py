"""Bota's recordings API: its words for requests, answers, statuses and errors."""
