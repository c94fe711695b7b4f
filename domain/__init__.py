"""What a recording is: its events, its state, its decisions.

Pure: no I/O, no clock, no randomness, no asyncio. Read in this order: `events`, `recording`, `decisions`, `life`; then
`ambient_session` and `note_order`, small aggregates of their own.
"""
