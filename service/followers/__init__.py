"""What follows the log: each reads it in order from its own position and does an event's work once in effect."""
