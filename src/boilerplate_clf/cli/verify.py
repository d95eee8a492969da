"""``boilerplate-clf verify``: is this bundle whole, and safe to open?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Optional

import typer

if TYPE_CHECKING:
    from boilerplate_clf.bundle import Bundle

_PROBE = "Der Rat tagt am Montag im Rathaus."
_SHOWN = 16
"""Digits of a digest."""


def verify(
    bundle: Optional[Path] = typer.Argument(  # noqa: UP045 - typer reads it at run time on Python 3.10
        None, metavar="[BUNDLE]", help="Folder of a model bundle (default: the shipped model)."
    ),
) -> None:
    """Verify a model bundle, and say what was verified.

    Before anything of it runs: every file that bundle.json lists is there, with its size and SHA-256; nothing
    else is in the folder, and no link; bundle.json makes sense and fits the model; the ONNX file refers to
    nothing outside itself and uses operators of onnxruntime only. Then one sentence is labelled. This finds
    damage and tampering with single files; it does not make a stranger's bundle trustworthy. Exits with 2 if
    the bundle is refused.

    \b
    Examples:
      boilerplate-clf verify
      boilerplate-clf verify my-bundle
    """
    from boilerplate_clf.bundle import find_bundle, load_bundle
    from boilerplate_clf.bundle.manifest import EXTENSION
    from boilerplate_clf.inference.classifier import Classifier

    folder = find_bundle(bundle)
    found = load_bundle(folder)
    manifest = found.manifest
    typer.echo(f"{folder}: {manifest.name} {manifest.version}, format {manifest.format_version}")
    rows = _rows(found)
    if found.extension is not None:
        rows += [(f"{EXTENSION}/{name}", size, text) for name, size, text in _rows(found.extension)]
    width = max(len(name) for name, *_ in rows)
    for name, size, text in rows:
        typer.echo(f"  {name:<{width}}  {size:>12,} bytes  {text}")
    typer.echo("  nothing else in the folder, no links")
    # The session checks that scores are numbers, and as many as there are labels.
    Classifier(folder, threads=1).predict(_PROBE)
    typer.echo(f"  opened, and a sentence labelled: {len(found.labels)} scores, all of them numbers")
    typer.echo("verified")


def _rows(bundle: Bundle) -> list[tuple[str, int, str]]:
    """Return name, size and what was checked of each file."""
    import json

    from boilerplate_clf.bundle.manifest import ACCURATE, CARD, DIGEST, MODEL

    path = bundle.manifest_path
    known = DIGEST in json.loads(path.read_text(encoding="utf-8"))
    told = "well formed, its digest is right" if known else "well formed; without a digest of its own"
    rows = [(path.name, path.stat().st_size, told)]
    for name, entry in bundle.manifest.files.items():
        text = f"SHA-256 {entry.sha256[:_SHOWN]}…"
        if name == MODEL:
            text += ", no data outside the file, onnxruntime's own operators"
        rows.append((name, entry.size, text))
    other = bundle.path / ACCURATE
    if path != other and other.exists():
        rows.append(
            (ACCURATE, other.stat().st_size, "another manifest of these files: verified when it is asked for")
        )
    card = bundle.path / CARD
    if card.exists():
        rows.append((CARD, card.stat().st_size, "for people: neither verified nor read"))
    return rows
