"""Importing optional dependencies with an error that says how to get them."""

from __future__ import annotations

import importlib
from typing import Any

from boilerplate_clf.errors import MissingExtraError


def require(extra: str, module: str) -> Any:
    """Import ``module`` or name the extra that brings it.

    Raises:
        MissingExtraError: the module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(extra, (error.name or module).split(".")[0]) from error


def require_training() -> None:
    """Check that what every stage of the pipeline needs is installed, before any of them runs.

    Raises:
        MissingExtraError: a module is not installed.
    """
    for module in ("torch", "transformers", "safetensors", "onnx", "sklearn", "tqdm"):
        require("train", module)
