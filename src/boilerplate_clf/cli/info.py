"""``boilerplate-clf info``: what is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import typer

from boilerplate_clf import __version__
from boilerplate_clf.cli.run import Model


def info(
    model: Optional[Path] = Model,  # noqa: UP045 - typer reads it at run time on Python 3.10
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Show version, model, labels, thresholds and sizes; verifies the model's files.

    \b
    Example:
      boilerplate-clf info --model my-bundle
    """
    import json

    from boilerplate_clf.bundle import find_bundle, load_bundle
    from boilerplate_clf.bundle.manifest import EXTENSION

    bundle = load_bundle(find_bundle(model))
    manifest, windows = bundle.manifest, bundle.manifest.windows
    files = {name: entry.size for name, entry in manifest.files.items()}
    if bundle.extension is not None:
        files |= {f"{EXTENSION}/{n}": entry.size for n, entry in bundle.extension.manifest.files.items()}
    facts = {
        "version": __version__,
        "model": f"{manifest.name} {manifest.version}",
        "path": str(bundle.path),
        "labels": list(bundle.labels),
        "keep_label": manifest.keep_label,
        "thresholds": bundle.thresholds,
        "temperature": round(manifest.chain.temperature, 3),
        "window_tokens": windows.window_tokens if windows else 0,
        "paragraph_tokens": windows.head_tokens + windows.tail_tokens if windows else 0,
        "files": files,
    }
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    for key, value in facts.items():
        if key == "files":
            text = ", ".join(f"{name} {size / 1e6:.2f} MB" for name, size in files.items())
        elif key == "thresholds":
            text = "; ".join(
                f"{mode}: " + ", ".join(f"{name} {number}" for name, number in values.items())
                for mode, values in bundle.thresholds.items()
            )
        elif isinstance(value, dict):
            text = ", ".join(f"{name} {number}" for name, number in value.items())
        else:
            text = ", ".join(value) if isinstance(value, list) else str(value)
        typer.echo(f"{key.replace('_', ' ')}: {text}")
