"""The console: a web application for people, at `/console`. It uses the public HTTP API and nothing else."""
