"""The body of a request, as far as the limits go."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from fastapi import Request
from prometheus_client import Gauge
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from boilerplate_clf.serve.errors import ApiError, ErrorType, from_validation
from boilerplate_clf.serve.settings import Limits

_LARGE = 64 * 2**10
"""Bytes from which parsing would hold up the event loop."""

B = TypeVar("B", bound=BaseModel)
R = TypeVar("R")


class Gate:
    """Counts what is under way, and turns away what is too much."""

    def __init__(self, limits: Limits, gauge: Gauge) -> None:
        """Start with nothing under way; ``gauge`` shows the requests."""
        self._limits, self._gauge = limits, gauge
        self.requests = self.bytes = 0

    def check(self) -> None:
        """See whether there is room for a request.

        Raises:
            ApiError: there is none.
        """
        if self.requests >= self._limits.concurrent:
            message = f"{self._limits.concurrent:,} requests are being worked on: come back later"
            raise ApiError(ErrorType.TOO_MANY_REQUESTS, message)

    @contextmanager
    def request(self) -> Iterator[None]:
        """Hold a place.

        Raises:
            ApiError: there is none.
        """
        self.check()
        self.requests += 1
        self._gauge.inc()
        try:
            yield
        finally:
            self.requests -= 1
            self._gauge.dec()

    def buffer(self, size: int) -> None:
        """Hold some bytes more.

        Raises:
            ApiError: too many are held.
        """
        if self.bytes + size > self._limits.buffered_bytes:
            raise ApiError(ErrorType.TOO_MANY_REQUESTS, "too many large requests at once: come back later")
        self.bytes += size


async def read_body(request: Request, limits: Limits, gate: Gate, held: list[int]) -> bytes:
    """Read a body, counting it on the way.

    Args:
        request: whose body it is.
        limits: of size and time.
        gate: told what is buffered.
        held: gets what was buffered, for whoever gives it back.

    Raises:
        ApiError: not JSON by its headers, too large, too slow, or too much at once.
        ClientDisconnect: the client has gone.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json":
        raise ApiError(ErrorType.UNSUPPORTED_MEDIA_TYPE, "send JSON, with 'Content-Type: application/json'")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise ApiError(ErrorType.UNSUPPORTED_MEDIA_TYPE, "send the body without a Content-Encoding")
    most = limits.body_bytes
    too_large = ApiError(ErrorType.TOO_LARGE, f"the body is larger than {most:,} bytes")
    declared = request.headers.get("content-length", "0")
    if not declared.isdecimal() or int(declared[:20]) > most:
        raise too_large
    body = bytearray()

    async def read() -> None:
        async for block in request.stream():
            if len(body) + len(block) > most:
                raise too_large
            gate.buffer(len(block))
            held.append(len(block))
            body.extend(block)

    try:
        await asyncio.wait_for(read(), limits.body_seconds)
    except asyncio.TimeoutError:
        message = f"the body was not there after {limits.body_seconds:g} seconds"
        raise ApiError(ErrorType.BODY_TIMEOUT, message) from None
    return bytes(body)


async def while_connected(request: Request, work: Coroutine[Any, Any, R], limits: Limits) -> R:
    """Return what ``work`` returns; end it when it takes too long, or when nobody waits for it any more.

    Args:
        request: whose body has been read.
        work: what makes the answer.
        limits: of time.

    Raises:
        ApiError: it took too long.
        ClientDisconnect: the client has gone.
    """
    task = asyncio.create_task(work)
    gone = asyncio.ensure_future(request.receive())  # after the body there is nothing else to come
    try:
        await asyncio.wait({task, gone}, timeout=limits.request_seconds, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        if gone.done():
            raise ClientDisconnect
        message = f"there was no answer after {limits.request_seconds:g} seconds: send less at once"
        raise ApiError(ErrorType.TIMEOUT, message)
    finally:
        task.cancel()
        gone.cancel()


async def parse(body: bytes, model: type[B]) -> B:
    """Parse and check a body.

    Raises:
        ApiError: not JSON, or not what is asked for.
    """
    try:
        if len(body) > _LARGE:
            return await asyncio.to_thread(model.model_validate_json, body)
        return model.model_validate_json(body)
    except ValidationError as error:
        raise from_validation(error) from None
