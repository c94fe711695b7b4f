"""What all adapters of PostgreSQL share: connections that come back after a failure, and the schema's versions."""
