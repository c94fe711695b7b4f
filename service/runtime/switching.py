"""How the threads of a process that serves requests take turns."""

SWITCH_SECONDS = 0.001
"""How long a busy event loop makes the commit thread wait for the interpreter's lock; Python's default is 5 ms."""
