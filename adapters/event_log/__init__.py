"""The event log: `log` is the asyncio front, `mapper` the stored form, `sqlite` the embedded profile's recorder."""
