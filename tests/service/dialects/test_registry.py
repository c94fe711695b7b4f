"""The dialects side by side: nothing of one is another's."""

import re
from collections import Counter

import pytest

from adapters.keys import KeyStore
from service.application.clock import utc_now
from service.cli.keys import SCOPES
from service.dialects.dialect import Development, Dialect
from service.dialects.http.settings import HttpSettings
from service.dialects.registry import DIALECTS
from service.runtime.settings import Settings, combined_settings
from tests.places import REPOSITORY

each_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)


def most_common(things):
    return Counter(things).most_common(1)[0][1]


def test_names_scopes_settings_paths_and_operations_are_one_dialects_each():
    assert most_common(dialect.name for dialect in DIALECTS) == 1
    assert most_common(SCOPES) == 1
    own = [set(dialect.settings.model_fields) - set(HttpSettings.model_fields) for dialect in DIALECTS]
    assert most_common(name for fields in own for name in fields) == 1
    paths = [path for dialect in DIALECTS for path in dialect.api().paths]
    assert not [(one, other) for one in paths for other in paths if one != other and one.startswith(other)]
    told = [one for dialect in DIALECTS for one in dialect.api().reference.operations]
    assert most_common((one.method, one.path) for one in told) == 1


@each_dialect
def test_what_a_dialect_tells_in_the_reference_is_under_its_paths_and_needs_scopes_that_keys_can_have(dialect):
    api = dialect.api()
    for operation in api.reference.operations:
        if operation.security:
            assert operation.path.startswith(api.paths)
        if operation.scope is not None:
            assert operation.scope in dialect.scopes


@each_dialect
def test_the_services_settings_have_a_dialects_section(dialect):
    settings = Settings()
    assert settings.section(dialect.settings) is settings


def test_dialects_without_settings_of_their_own_are_nothing_to_the_services():
    plain = [Dialect(name=name, api=DIALECTS[0].api) for name in ("one", "other")]
    combined = combined_settings([*DIALECTS, *plain])
    assert list(combined.model_fields) == list(Settings.model_fields)
    assert combined().section(HttpSettings).port == Settings().port


def test_settings_that_are_no_part_of_the_services_are_said_to_be_none():
    class Strange(HttpSettings):
        pass

    with pytest.raises(TypeError, match="Strange"):
        Settings().section(Strange)


@each_dialect
def test_development_credentials_have_what_they_need_and_their_keys_are_of_the_one_project(dialect, tmp_path):
    credentials = dialect.dev_credentials
    if credentials is None:
        pytest.skip("it has none")
    digits = iter(f"{number:032x}" for number in range(100))
    keys = KeyStore(tmp_path / "keys", clock=utc_now)
    entry = credentials.make(Development(keys, "proj_1", lambda: next(digits)))
    assert all(entry[name] for name in credentials.needed)
    made = [keys.authenticate(entry[name], now=utc_now()) for name in credentials.tokens]
    assert [key.project_id for key in made] == ["proj_1"] * len(credentials.tokens)
    keys.close()


@each_dialect
def test_a_dialects_package_imports_no_other_dialects(dialect):
    """import-linter looks further, through what is imported; this also sees a dialect that it has not been told of."""
    files = sorted((REPOSITORY / "service" / "dialects" / dialect.name).glob("**/*.py"))
    assert files
    for file in files:
        imported = re.findall(r"(?:from|import) service\.dialects\.(\w+)", file.read_text(encoding="utf-8"))
        assert set(imported) <= {dialect.name, "dialect", "http"}, file
