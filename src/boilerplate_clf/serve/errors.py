"""Errors as clients see them: one body for all, ``{"error": {"type", "message", "field"?}}``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from boilerplate_clf.errors import InputError, InputTooLargeError, MissingExtraError
from boilerplate_clf.labels import Name


class ErrorType(Name):
    """What is wrong; the message says it in words."""

    INVALID_HTTP = "invalid_http"
    INVALID_JSON = "invalid_json"
    INVALID_REQUEST = "invalid_request"
    UNAUTHORIZED = "unauthorized"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    HEAD_TIMEOUT = "head_timeout"
    BODY_TIMEOUT = "body_timeout"
    TOO_LARGE = "too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    TOO_MANY_REQUESTS = "too_many_requests"
    INTERNAL = "internal"
    NOT_INSTALLED = "not_installed"
    NOT_READY = "not_ready"
    TIMEOUT = "timeout"


STATUS: Mapping[ErrorType, int] = {
    ErrorType.INVALID_HTTP: 400,
    ErrorType.INVALID_JSON: 400,
    ErrorType.INVALID_REQUEST: 422,
    ErrorType.UNAUTHORIZED: 401,
    ErrorType.NOT_FOUND: 404,
    ErrorType.METHOD_NOT_ALLOWED: 405,
    ErrorType.HEAD_TIMEOUT: 408,
    ErrorType.BODY_TIMEOUT: 408,
    ErrorType.TOO_LARGE: 413,
    ErrorType.UNSUPPORTED_MEDIA_TYPE: 415,
    ErrorType.TOO_MANY_REQUESTS: 429,
    ErrorType.INTERNAL: 500,
    ErrorType.NOT_INSTALLED: 501,
    ErrorType.NOT_READY: 503,
    ErrorType.TIMEOUT: 504,
}

_FIELD_CHARS = 200
"""Of a field's name, which may be whatever a client has made up."""

RETRY_AFTER = "1"
"""Seconds after which a client that was turned away may come back."""


class ApiError(Exception):
    """A request, or one document of it, that is not answered with labels."""

    def __init__(self, kind: ErrorType, message: str, field: str | None = None) -> None:
        """Say what is wrong, and with which field of the request."""
        super().__init__(message)
        self.kind, self.message, self.field = kind, message, field

    @property
    def status(self) -> int:
        """The HTTP status."""
        return STATUS[self.kind]

    @property
    def headers(self) -> dict[str, str]:
        """Headers that belong to the status."""
        if self.kind is ErrorType.UNAUTHORIZED:
            return {"WWW-Authenticate": "Bearer"}
        if self.kind in (ErrorType.TOO_MANY_REQUESTS, ErrorType.NOT_READY):
            return {"Retry-After": RETRY_AFTER}
        return {}

    def to_dict(self) -> dict[str, Any]:
        """Return the body."""
        error = {"type": str(self.kind), "message": self.message}
        if self.field is not None:
            error["field"] = self.field
        return {"error": error}


def from_input(error: InputError | MissingExtraError, field: str) -> ApiError:
    """Return what the library's error is to a client."""
    if isinstance(error, MissingExtraError):
        return ApiError(ErrorType.NOT_INSTALLED, f"this server reads no HTML: {error}", field)
    kind = ErrorType.TOO_LARGE if isinstance(error, InputTooLargeError) else ErrorType.INVALID_REQUEST
    return ApiError(kind, str(error), field)


def from_validation(error: ValidationError) -> ApiError:
    """Return the first complaint about a body; the body's own text is not repeated."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    message = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "json_invalid":
        return ApiError(ErrorType.INVALID_JSON, message)
    field = ".".join(str(part) for part in first["loc"])[:_FIELD_CHARS]
    return ApiError(ErrorType.INVALID_REQUEST, message, field or None)
