"""The evaluation gate: figures that a new model must not fall below.

Floors are pinned in a JSON file together with the digest of the data that they were measured on. They
can be raised by measuring; to lower one takes a written reason, which stays in the file. (After
trafilatura's ``tests/eval_gate.py``.)
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from boilerplate_clf.errors import DataError
from boilerplate_clf.evaluation.metrics import VIEWS

TOLERANCE = 0.0005
"""Processors differ in the last digits of int8 arithmetic, which can turn a paragraph or two."""


def figures(report: dict[str, Any]) -> dict[str, float]:
    """Return the figures of the report's first system that have a floor, the larger the better."""
    views = next(iter(report["systems"].values()))
    found: dict[str, float] = {}
    for view in VIEWS:
        row = views[view]
        found[f"{view}: macro-F1"] = row["macro_f1"]
        found[f"{view}: content kept"] = 1.0 - row["content_flagged"]
        for name, values in row["labels"].items():
            found[f"{view}: F1 of {name}"] = values["f1"]
    return {name: round(value, 4) for name, value in found.items()}


def read_gate(path: Path) -> dict[str, Any]:
    """Read the floors.

    Raises:
        DataError: no such file, or not a gate.
    """
    try:
        gate: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not all(isinstance(value, float) for value in gate["floors"].values()):
            raise TypeError("floors must be numbers")
        if not isinstance(gate["data_sha256"], str):
            raise TypeError("data_sha256 must be a text")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{path}: not a gate: {error}") from error
    return gate


def failures(report: dict[str, Any], gate: dict[str, Any]) -> list[str]:
    """Return a line per figure below its floor; none: the gate is passed."""
    if report["data"]["sha256"] != gate["data_sha256"]:
        return [f"the floors are for data {gate['data_sha256'][:12]}, not {report['data']['sha256'][:12]}"]
    measured = figures(report)
    return [
        f"{name} is {measured.get(name, 0.0):.4f}, the floor is {gate['floors'][name]:.4f}"
        for name in _below(measured, gate["floors"])
    ]


def _below(measured: dict[str, float], floors: dict[str, float]) -> list[str]:
    """Return the names of the figures that are below their floor."""
    return [name for name, floor in floors.items() if measured.get(name, 0.0) < floor - TOLERANCE]


def new_gate(report: dict[str, Any], old: dict[str, Any] | None, reason: str | None) -> dict[str, Any]:
    """Return a gate with the report's figures as floors.

    A reason lowers what is below its floor, no other figure; on other data all floors are new.

    Args:
        report: of :func:`boilerplate_clf.evaluation.report.evaluate_model`.
        old: the gate that is replaced.
        reason: why floors are lowered or the data are others.

    Raises:
        DataError: a floor would fall, or the data are others, and no reason is given.
    """
    floors = figures(report)
    lowered = list((old or {}).get("lowered", []))
    if old is not None and (worse := failures(report, old)):
        if not reason:
            raise DataError(f"not lowered without a reason: {'; '.join(worse)}")
        lowered.append({"date": report["date"], "reason": reason, "what": worse})
    if old is not None and old["data_sha256"] == report["data"]["sha256"]:
        fallen = _below(floors, old["floors"])
        for name, floor in old["floors"].items():
            if name in floors and name not in fallen:
                floors[name] = max(floors[name], floor)
    return {
        "data_sha256": report["data"]["sha256"],
        "model": report["model"],
        "date": report["date"],
        "floors": floors,
        "lowered": lowered,
    }
