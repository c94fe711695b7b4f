"""The service's own code, run by the thousand over stores, a clock and an event loop that follow a seed.

Read `run` first: one run from its seed to its verdict. `loop` is time and order, `memory_log` and its like are what is
durable, `faults` what goes wrong, `process` one process of the service, `clients` what people do with it, `audit`
whether each answer was right, `invariants` whether everything is in the end. `python -m tests.tools.simulation` runs
many, and `planted_faults` proves that they would notice.
"""
