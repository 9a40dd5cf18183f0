"""What drf-spectacular cannot know by itself: how one signs in, and that every operation can answer with an error."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from rest_framework.request import Request

from terminal.errors import ALL_CODES

ERROR_SCHEMA = {
    "type": "object",
    "description": "Every error. `details` depends on the code: field errors, capacity figures, unknown instruments.",
    "properties": {
        "code": {"type": "string", "enum": ALL_CODES},
        "message": {"type": "string"},
        "details": {"type": "object", "additionalProperties": True},
    },
    "required": ["code", "message", "details"],
}
ERROR_RESPONSES = {
    "400": "The request cannot be read or is not valid.",
    "401": "Nobody is signed in.",
    "403": "Not allowed, or the CSRF token is missing.",
    "404": "It does not exist, or it is somebody else's.",
    "409": "It does not fit what is there: capacity, limits, names.",
    "422": "An instrument or symbol is not known, or an order was refused: the code says why.",
    "429": "Too many requests; Retry-After says when to come again.",
    "503": "The database or the live data is not reachable just now.",
}
METHODS = {"get", "post", "put", "patch", "delete"}


def add_errors(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Post-processing hook: each operation's error responses, all of one schema."""
    result["components"].setdefault("schemas", {})["Error"] = ERROR_SCHEMA
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    for operations in result["paths"].values():
        for method, operation in operations.items():
            if method not in METHODS:
                continue
            for status in _statuses(operation, method):
                described = {"description": ERROR_RESPONSES[status], "content": content}
                operation["responses"].setdefault(status, described)
    return result


def _statuses(operation: dict[str, Any], method: str) -> list[str]:
    """A read neither conflicts nor needs a CSRF token."""
    reading = {"400", "401", "404", "422", "429", "503"}
    return [status for status in ERROR_RESPONSES if method != "get" or status in reading]


class KeptSchema(SchemaGenerator):
    """The description, worked out for the first who asks: it is everybody's, and nobody need sign in to ask for it."""

    _kept: dict[str, Any] | None = None

    def get_schema(self, request: Request | None = None, public: bool = False) -> dict[str, Any]:
        if request is None:  # a command, which is to tell what it finds wrong
            return super().get_schema(request, public)
        if KeptSchema._kept is None:
            KeptSchema._kept = super().get_schema(request, public)
        return KeptSchema._kept


class SessionScheme(OpenApiAuthenticationExtension):
    """The session cookie, to OpenAPI."""

    target_class = "terminal.accounts.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}


class ApiTokenScheme(OpenApiAuthenticationExtension):
    """The API token, to OpenAPI."""

    target_class = "terminal.accounts.authentication.ApiTokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token` and a space before the token.",
        }
