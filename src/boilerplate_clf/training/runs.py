"""The run folder: what each stage leaves behind, so that a figure can be traced.

Each stage has a folder of its own with ``stage.json`` (configuration, data digests, versions,
metrics), written last: a stage with this file is done and is not run again.
"""

from __future__ import annotations

import datetime
import json
import subprocess
from pathlib import Path
from typing import Any

from boilerplate_clf.files import write_json
from boilerplate_clf.machine import hardware, versions_of

STAGE = "stage.json"
_PACKAGES = ("torch", "transformers", "tokenizers", "onnx", "onnxruntime", "numpy", "scikit-learn")


def append_jsonl(path: Path, value: dict[str, Any]) -> None:
    """Append one JSON line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(value, ensure_ascii=False) + "\n")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that decide a result."""
    return versions_of(_PACKAGES)


def commit() -> str:
    """Return the commit of the working tree ("unknown" outside git; "+" marks local changes)."""
    try:
        head = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],
            capture_output=True, text=True, check=True, cwd=Path(__file__).parent,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip()


def finish_stage(folder: Path, config: dict[str, Any], **facts: Any) -> dict[str, Any]:
    """Write ``stage.json``: the mark that the stage in ``folder`` is done."""
    record = {
        "date": datetime.datetime.now(datetime.timezone.utc).date().isoformat(),
        "commit": commit(),
        "hardware": hardware(),
        "versions": versions(),
        "config": config,
        **facts,
    }
    write_json(folder / STAGE, record)
    return record


def read_stage(folder: Path) -> dict[str, Any] | None:
    """Return the stage's record, None if it has not been finished."""
    path = folder / STAGE
    if not path.exists():
        return None
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record
