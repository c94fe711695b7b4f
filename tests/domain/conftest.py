from hypothesis import settings

# A mutant is run against every test until one fails: the runs must be short, and the same each time.
settings.register_profile("mutants", max_examples=30, derandomize=True, database=None, deadline=None)
