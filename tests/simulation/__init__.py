"""The service's own code, run by the thousand over stores, a clock and an event loop that a seed decides everything of.

Read `run` first: one run from its seed to its verdict. `loop` is time and order, `memory` what is durable, `faults` what
goes wrong, `process` one process of the service, `clients` what people do with it, `audit` whether each answer was
right, `invariants` whether everything is in the end. `python -m tests.simulation` runs many.
"""
