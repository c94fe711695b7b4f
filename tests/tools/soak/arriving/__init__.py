"""Recordings arrive and are listened to, while the service and its processes are killed, stopped and restarted."""
