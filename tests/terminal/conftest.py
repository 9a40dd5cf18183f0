"""People, and what addresses name, for every test of the server."""

from tests.terminal.people import clients, people, things  # noqa: F401 fixtures
