"""Where the messages are published."""

DEFAULT_TOPIC = "tapedeck.recordings"
"""The topic, unless the settings name another."""
