from hypothesis import Phase, settings

# A mutant is run against every test until one fails: runs must be few, and the same each time; nobody reads the
# examples, so they need not shrink.
settings.register_profile(
    "mutants",
    max_examples=15,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
)
