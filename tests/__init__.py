import pytest

# So that their assertions say what differs, as those of a test do.
pytest.register_assert_rewrite("tests.tables", "tests.queries.compare")
