"""A real server of Azure's blobs for tests: Azurite (MIT), fetched with npm. It syncs late: it is for tests only."""
