"""The description of the service, ``/openapi.json``; run as a module it writes the committed one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from boilerplate_clf.serve.schemas import CleanRequest, ErrorBody, PredictRequest

_REFERENCE = "#/components/schemas/{model}"
_BODIES: dict[str, type[CleanRequest]] = {"/v1/predict": PredictRequest, "/v1/clean": CleanRequest}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the errors of a route."""
    return {status: {"model": ErrorBody, "description": HTTPStatus(status).phrase} for status in statuses}


def describe(app: FastAPI, labels: Callable[[], Sequence[str]]) -> None:
    """Let the app describe its bodies, which it reads itself, and its token.

    Args:
        app: with all its routes.
        labels: of its model, as soon as it is loaded.
    """

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _openapi(app, labels())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _openapi(app: FastAPI, labels: Sequence[str]) -> dict[str, Any]:
    description = get_openapi(title=app.title, version=app.version, routes=app.routes)
    components = description["components"]
    inputs: list[tuple[type[BaseModel], Literal["validation"]]] = [
        (m, "validation") for m in _BODIES.values()
    ]
    _, models = models_json_schema(inputs, ref_template=_REFERENCE)
    components["schemas"] |= models["$defs"]
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for path, model in _BODIES.items():
        schema = {"$ref": _REFERENCE.format(model=model.__name__)}
        body = {"required": True, "content": {"application/json": {"schema": schema}}}
        description["paths"][path]["post"]["requestBody"] = body
        keep = components["schemas"][model.__name__]["properties"]["keep"]["anyOf"][0]
        keep["items"] = {"type": "string", "enum": [str(label) for label in labels]}
    for operation in (o for path in description["paths"].values() for o in path.values()):
        if "401" in operation["responses"]:  # where the server was given a token
            operation["security"] = [{}, {"token": []}]
    return description


if __name__ == "__main__":
    import json
    import sys

    from boilerplate_clf.inference.classifier import Classifier
    from boilerplate_clf.serve.app import create_app
    from boilerplate_clf.serve.settings import Settings

    sys.stdout.write(json.dumps(create_app(Settings(), Classifier()).openapi(), indent=2) + "\n")
