"""What every request goes through: an id, headers, the access log, figures, and an end to every exception."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Collection
from secrets import token_hex

from pydantic_core import to_json
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from boilerplate_clf.serve.errors import ApiError, ErrorType
from boilerplate_clf.serve.logs import ACCESS, ERRORS
from boilerplate_clf.serve.metrics import Metrics

OTHER = "other"
"""What paths that do not exist are counted under."""

GONE = 499
"""What stands in log and figures for a client that did not wait for its answer, as in nginx."""

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LOGGED_PATH = 100
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
)


def error_response(error: ApiError) -> Response:
    """Return the answer that an error is."""
    return Response(to_json(error.to_dict()), error.status, error.headers, "application/json")


class Observe:
    """Pure ASGI, so that streaming and cancellation stay as they are."""

    def __init__(self, app: ASGIApp, metrics: Metrics, routes: Collection[str]) -> None:
        """Wrap ``app``, whose paths are ``routes``."""
        self._app, self._metrics, self._routes = app, metrics, routes
        self._access, self._errors = logging.getLogger(ACCESS), logging.getLogger(ERRORS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        request_id = given if _ID.fullmatch(given) else token_hex(8)
        status, read, written = 0, 0, 0

        async def counted_receive() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            return message

        async def counted_send(message: Message) -> None:
            nonlocal status, written
            if message["type"] == "http.response.start":
                status = message["status"]
                extra = [*_HEADERS, (b"x-request-id", request_id.encode())]
                message = {**message, "headers": [*message.get("headers", ()), *extra]}
            written += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, counted_receive, counted_send)
        except ClientDisconnect:
            status = GONE
        except Exception:
            self._errors.exception("request %s failed", request_id)
            if not status:
                error = ApiError(ErrorType.INTERNAL, f"an error of the server's (request {request_id})")
                await error_response(error)(scope, receive, counted_send)
        finally:
            seconds = time.perf_counter() - started
            route = scope["path"] if scope["path"] in self._routes else OTHER
            self._metrics.requests.labels(route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(seconds)
            client = scope.get("client")
            self._access.info(
                "%s",
                {
                    "id": request_id,
                    "client": client[0] if client else None,
                    "method": scope["method"][:_LOGGED_PATH],
                    "path": scope["path"][:_LOGGED_PATH],
                    "status": status,
                    "bytes_in": read,
                    "bytes_out": written,
                    "ms": round(seconds * 1000, 1),
                },
            )
