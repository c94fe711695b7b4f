import pytest

pytest.register_assert_rewrite("tests.adapters.blobs.contract")
