"""Fixtures of the report's tests."""

from made_grid import folder_of, make_grid  # noqa: F401
