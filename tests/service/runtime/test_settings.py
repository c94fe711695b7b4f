"""A setting that no service can work with is refused at the start, in one line that names it."""

from typing import get_args

import pytest

from service.runtime.settings import BadSettings, Settings, load_settings

NUMERIC = [
    name
    for name, field in Settings.model_fields.items()
    if {int, float} & {field.annotation, *(getattr(each, "__origin__", each) for each in get_args(field.annotation))}
]
BYTES = 1 << 50


@pytest.mark.parametrize("value", ["1e300", "1e400", "nan", "inf", "-inf", "-1", "9" * 23])
@pytest.mark.parametrize("name", NUMERIC)
def test_a_number_out_of_all_proportion_is_refused_in_one_line(monkeypatch, name, value):
    setting = f"TAPEDECK_{name.upper()}"
    monkeypatch.setenv(setting, value)
    with pytest.raises(BadSettings) as refused:
        load_settings()
    assert str(refused.value).startswith(setting)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("worker_memory_bytes", BYTES),
        ("held_bytes", BYTES),
        ("quota_bytes", 10**18 - 1),
        ("chunk_retention_hours", 876_000),
        ("expired_retention_hours", 876_000),
        ("requests_per_minute", 2**31 - 1),
    ],
)
def test_the_largest_value_is_accepted_and_the_next_is_not(name, most):
    assert getattr(load_settings(**{name: most}), name) == most
    with pytest.raises(BadSettings, match=f"less than or equal to {most}"):
        load_settings(**{name: most + 1})
