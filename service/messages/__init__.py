"""What is promised to the stream's consumers: `forms` is the contract, `publication` writes it, `reading` reads it."""
