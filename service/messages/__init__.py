"""What consumers of the stream are promised: `forms` is the contract, `publication` writes it, `reading` reads it."""
