"""uvicorn's HTTP/1.1 protocol with what it lacks against slow and endless clients.

uvicorn limits the size of a request's head and closes connections that are idle after an answer. It waits for
ever for the first request, for the rest of a head, for the end of a body that nobody reads any more, and for
clients that do not read their answers. And at its shutdown it closes idle connections on whose way a request
may just be.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from pydantic_core import to_json
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from boilerplate_clf.serve.errors import ApiError, ErrorType
from boilerplate_clf.serve.settings import Limits

_LINGER_SECONDS = 2.0
"""For the rest of a body that is answered already: closing at once would destroy the answer on its way."""
_DRAIN_SECONDS = 1.0
"""At shutdown, for a request that is on its way on an idle connection."""
_CLOSE = (b"connection", b"close")


class GuardedProtocol(H11Protocol):
    """One connection.

    Args:
        limits: what the timers are set to.
    """

    def __init__(self, *args: Any, limits: Limits, **kwargs: Any) -> None:
        """Take uvicorn's arguments, and the limits."""
        super().__init__(*args, **kwargs)
        self._limits = limits
        self._head_timer: asyncio.TimerHandle | None = None
        self._linger_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._draining = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        if len(self.connections) > self._limits.connections:
            self._refuse(ApiError(ErrorType.TOO_MANY_REQUESTS, "too many connections: come back later"))
        else:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all timers."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        for timer in (self._head_timer, self._linger_timer, self._write_timer):
            _stop(timer)

    def data_received(self, data: bytes) -> None:
        """Take bytes; see how far the request has come."""
        if self.transport.is_closing():
            return
        self._expect_head()
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            _stop(self._head_timer)
            self._head_timer = None
        if self.conn.their_state is not h11.SEND_BODY:
            _stop(self._linger_timer)
            self._linger_timer = None
        if self._draining:
            self._answer_and_close()

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the rest of this one."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._abort_later()
        elif self.conn.they_are_waiting_for_100_continue:
            self._close()  # its body will not come, and nothing after it could be told from it
        elif self.conn.their_state is h11.SEND_BODY and self.cycle.response_complete:
            self._linger_timer = self.loop.call_later(_LINGER_SECONDS, self._close)

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, whether or not its last answer is being read."""
        super().timeout_keep_alive_handler()
        self._abort_later()

    def pause_writing(self) -> None:
        """Give a client some time to read what it is sent."""
        super().pause_writing()
        self._watch_writing(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        _stop(self._write_timer)

    def shutdown(self) -> None:
        """Answer what is being worked on, or comes within a moment, and close."""
        self._draining = True
        if self._is_idle():
            self.loop.call_later(_DRAIN_SECONDS, self._close_if_idle)
        else:
            self._answer_and_close()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP."""
        self._refuse(ApiError(ErrorType.INVALID_HTTP, msg))

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _close_if_idle(self) -> None:
        if self._is_idle():
            self._close()

    def _answer_and_close(self) -> None:
        if not self._is_idle() and not self.cycle.response_started:
            self.cycle.default_headers = [*self.server_state.default_headers, _CLOSE]

    def _expect_head(self) -> None:
        if self.conn.their_state is h11.IDLE and self._head_timer is None:
            self._head_timer = self.loop.call_later(self._limits.header_seconds, self._head_timed_out)

    def _head_timed_out(self) -> None:
        message = f"no whole request after {self._limits.header_seconds:g} seconds"
        self._refuse(ApiError(ErrorType.HEAD_TIMEOUT, message))

    def _refuse(self, error: ApiError) -> None:
        """Answer without the app, and close."""
        if self.transport.is_closing():
            return
        body = to_json(error.to_dict())
        headers = {
            "content-type": "application/json",
            "content-length": len(body),
            "connection": "close",
            **error.headers,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 {error.status} {STATUS_PHRASES[error.status].decode()}\r\n{lines}\r\n"
        self.transport.write(head.encode() + body)
        self._close()

    def _close(self) -> None:
        self.transport.close()
        self._abort_later()

    def _abort_later(self) -> None:
        """Do not let a client that does not read hold a connection that is closed."""
        self.loop.call_later(self._limits.idle_seconds, self.transport.abort)

    def _watch_writing(self, before: int) -> None:
        self._write_timer = self.loop.call_later(self._limits.idle_seconds, self._check_writing, before)

    def _check_writing(self, before: int) -> None:
        left = self.transport.get_write_buffer_size()
        if left >= before:
            self.transport.abort()
        else:
            self._watch_writing(left)


def _stop(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
