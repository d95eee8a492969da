"""The routes."""

from __future__ import annotations

import asyncio
import hmac
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from importlib.util import find_spec
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.responses import Response

from boilerplate_clf.errors import BoilerplateClfError
from boilerplate_clf.inference.classifier import Classifier
from boilerplate_clf.machine import available_threads
from boilerplate_clf.serve import schemas
from boilerplate_clf.serve.errors import ApiError, ErrorType
from boilerplate_clf.serve.metrics import Metrics
from boilerplate_clf.serve.middleware import Observe, error_response
from boilerplate_clf.serve.openapi import describe, errors
from boilerplate_clf.serve.page import page_routes
from boilerplate_clf.serve.reading import Gate, parse, read_body, while_connected
from boilerplate_clf.serve.service import Service
from boilerplate_clf.serve.settings import SETTINGS_VARIABLE, TOKEN_VARIABLE, Settings, read_token

_READY_SECONDS = 5.0
_API_VERSION = "1"
_OK = to_json({"status": "ok"})

Work = Callable[[Any], Awaitable[bytes]]

_PREDICT_ERRORS = errors(400, 401, 408, 413, 415, 422, 429, 500, 501, 504)


def from_environment() -> FastAPI:
    """Return the app of a worker process."""
    return create_app(Settings.from_json(os.environ[SETTINGS_VARIABLE]))


def create_app(settings: Settings, classifier: Classifier | None = None) -> FastAPI:
    """Return the app.

    Args:
        settings: limits and so on; where it listens is uvicorn's affair.
        classifier: already loaded; None: the settings' model is loaded when the server starts.
    """
    limits, metrics = settings.limits, Metrics()
    gate = Gate(limits, metrics.in_flight)
    token = read_token(settings.token_file, os.environ.get(TOKEN_VARIABLE))
    html = find_spec("trafilatura") is not None
    services: list[Service] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        threads = settings.threads or max(1, available_threads() // settings.workers)
        load = partial(Classifier, settings.model, threads=threads)
        loaded = classifier if classifier is not None else await asyncio.to_thread(load)
        service = Service(loaded, limits, metrics)
        await service.ready()
        if html:
            await service.warm_up_html()
        services.append(service)
        yield
        services.clear()
        await asyncio.to_thread(service.close)

    app = FastAPI(
        title="boilerplate-clf", version=_API_VERSION, lifespan=lifespan,
        docs_url=None, redoc_url=None, redirect_slashes=False, separate_input_output_schemas=False,
    )  # fmt: skip

    async def authorised(request: Request) -> None:
        if token is None:
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        # In a time that does not tell how much of it is right.
        same = hmac.compare_digest(given.strip().encode("utf-8", "replace"), token.encode())
        if scheme.lower() != "bearer" or not same:
            raise ApiError(ErrorType.UNAUTHORIZED, "send the server's token: 'Authorization: Bearer …'")

    async def answer(request: Request, model: type[Any], work: Work) -> Response:
        gate.check()
        held: list[int] = []
        try:
            body = await read_body(request, limits, gate, held)
            with gate.request():
                return await while_connected(request, _worked(body, model, work), limits)
        finally:
            gate.bytes -= sum(held)

    guarded = [Depends(authorised)]

    @app.post(
        "/v1/predict", summary="Label the paragraphs of one document, or of several.",
        response_model=schemas.Document | schemas.Documents, responses=_PREDICT_ERRORS, dependencies=guarded,
    )  # fmt: skip
    async def predict(request: Request) -> Response:
        return await answer(request, schemas.PredictRequest, services[0].predict)

    @app.post(
        "/v1/clean", summary="Return the content only, and what was taken out.",
        response_model=schemas.Cleaned | schemas.CleanedDocuments,
        responses=_PREDICT_ERRORS, dependencies=guarded,
    )  # fmt: skip
    async def clean(request: Request) -> Response:
        return await answer(request, schemas.CleanRequest, services[0].clean)

    @app.get(
        "/v1/model", summary="Tell the model, its labels and thresholds, and the server's limits.",
        response_model=schemas.ModelFacts, responses=errors(401), dependencies=guarded,
    )  # fmt: skip
    async def model() -> Response:
        return _json(to_json(services[0].facts(html)))

    @app.get("/healthz", summary="Tell that the process answers.", response_model=schemas.Health)
    async def healthz() -> Response:
        return _json(_OK)

    @app.get(
        "/readyz", summary="Tell that the model answers.",
        response_model=schemas.Health, responses=errors(503),
    )  # fmt: skip
    async def readyz() -> Response:
        try:
            await asyncio.wait_for(services[0].ready(), _READY_SECONDS)
        except (asyncio.TimeoutError, BoilerplateClfError):
            message = f"the model has not answered for {_READY_SECONDS:g} seconds"
            raise ApiError(ErrorType.NOT_READY, message) from None
        return _json(_OK)

    @app.get(
        "/metrics", summary="Figures for Prometheus.", response_class=Response, dependencies=guarded,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **errors(401)},
    )  # fmt: skip
    async def figures() -> Response:
        return Response(metrics.render(), media_type=CONTENT_TYPE_LATEST)

    for path, endpoint in page_routes().items():
        app.add_route(path, endpoint, include_in_schema=False)
    app.add_exception_handler(ApiError, _on_api_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    describe(app, lambda: (classifier or services[0].classifier).labels)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
            expose_headers=["Retry-After", "X-Request-ID"],
        )
    app.add_middleware(Observe, metrics=metrics, routes={getattr(r, "path", "") for r in app.routes})
    return app


async def _worked(body: bytes, model: type[Any], work: Work) -> Response:
    return _json(await work(await parse(body, model)))


def _json(content: bytes) -> Response:
    return Response(content, media_type="application/json")


async def _on_api_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)  # noqa: S101 - what it is registered for
    return error_response(error)


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    if error.status_code == 405:
        message = f"{request.method[:20]} is not for this path"
        response = error_response(ApiError(ErrorType.METHOD_NOT_ALLOWED, message))
        response.headers.update(error.headers or {})
        return response
    return error_response(ApiError(ErrorType.NOT_FOUND, "there is nothing at this path: see /docs"))
