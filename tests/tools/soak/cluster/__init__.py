"""Clients of a whole cluster, of which processes, servers and connections are killed, stopped, slowed and cut."""
