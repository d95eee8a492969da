"""What a figure was measured with: one line below every table."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

from boilerplate_clf.bundle import manifest_path
from boilerplate_clf.files import sha256_file
from boilerplate_clf.machine import cpu, versions

_SHOWN = 12


def about(command: str, data: Path | None = None, model: Path | None = None) -> str:
    """Return command, date, hardware, versions and digests."""
    numbers = ", ".join(f"{name} {number}" for name, number in versions().items())
    machine = cpu()
    text = (
        f"Command: `{command}`, {datetime.date.today()}, {os.cpu_count()} x {machine['model']} "
        f"({', '.join(machine['features'])}), {numbers}."
    )
    if data is not None:
        text += f" Data: `{data.name}`, SHA-256 `{sha256_file(data)[:_SHOWN]}…`."
    if model is not None:
        manifest = sha256_file(manifest_path(model))[:_SHOWN]
        text += f" Model: `{model.name}`, SHA-256 of its manifest `{manifest}…`."
    return text
