"""What follows the log: each reads it in order from its own position and acts on each event effectively once."""
