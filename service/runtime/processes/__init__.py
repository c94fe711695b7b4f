"""Several processes that take chunks on one port, and the one that does everything else."""
