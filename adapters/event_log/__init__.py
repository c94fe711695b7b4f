"""The event log: `log` is the asyncio front, `mapper` the stored form, `sqlite` and `postgres` the recorders."""
