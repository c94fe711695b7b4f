"""The service's own code, run thousands of times on stores, a clock and an event loop that follow a seed.

Read `run` first: one run from its seed to its verdict. `loop` is time and order, `memory_log` and the other memory
modules are what is durable, `faults` is what goes wrong, `process` is one process of the service, `clients` is what
people do with it; `audit` checks each answer, `invariants` the final state. `python -m tests.tools.simulation` does
many runs, and `planted_faults` proves that they would notice faults.
"""
