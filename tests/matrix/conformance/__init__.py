"""What the conformance suite asks a server for by name, added to ours in the tests only."""

from tests.matrix.conformance.fixture import add_fixture

__all__ = ["add_fixture"]
