"""Does the model say here what it said where it was made?

The reference lies beside the bundle's folder (``NAME-selftest.json``), so that any bundle can have one and
none need: the paragraphs below with the labels and scores they got when the reference was frozen, and
those of the model before quantisation, where its ONNX file was at hand.
"""

from __future__ import annotations

import datetime
import json
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from boilerplate_clf.bundle.load import load_bundle, manifest_path
from boilerplate_clf.bundle.manifest import MANIFEST, MODEL, FileEntry
from boilerplate_clf.errors import BundleFormatError
from boilerplate_clf.files import sha256_file, write_json
from boilerplate_clf.inference.classifier import Classifier
from boilerplate_clf.inference.document import Document
from boilerplate_clf.machine import cpu, versions

TOLERANCE = 0.02
"""Largest difference of a score. Measured over PARAGRAPHS: see docs/trust.md."""

_DIGITS = 6

PARAGRAPHS = (
    "Stadtrat Lindental beschließt neues Hallenbad",
    "Von Ruth Asmussen, 3. Februar",
    "Nach sechs Stunden Debatte hat der Rat am Dienstagabend für den Neubau gestimmt. Kosten soll er 14,2 "
    "Millionen Euro; die Hälfte davon übernimmt der Landkreis.",
    "„Ohne das Bad verlernen unsere Kinder das Schwimmen“, sagte Schulleiterin Inga Petersen-Wolff.",
    "Jetzt weiterlesen mit dem Lindentaler Boten plus: vier Wochen für 1 Euro, danach 8,90 Euro im Monat.",
    "Sie haben bereits ein Konto? Hier anmelden",
    "Der Schwimmverein will 20.000 Euro an Spenden sammeln und wirbt dafür mit einem Benefizlauf.",
    "Für den Newsletter der Gemeinde haben sich 400 Haushalte eingetragen.",
    "Ein Abonnement der Dauerkarte soll künftig 120 Euro im Jahr kosten.",
    "Der Lindentaler Bote gehört keinem Konzern. Damit das so bleibt, brauchen wir Sie: Schon 5 Euro helfen.",
    "Unterstützen",
    "Wer die Sitzung stört, wird des Saales verwiesen, heißt es in der Geschäftsordnung.",
    "Schreiben Sie uns Ihre Meinung! Wir schalten Kommentare werktags von 8 bis 18 Uhr frei.",
    "Beleidigungen und Werbung löschen wir.",
    "Vielen Dank, Ihr Team vom Boten",
)
"""An article of nobody's, with appeals and with sentences that could be taken for some."""


@dataclass(frozen=True)
class Comparison:
    """What came out against the reference."""

    changed_labels: int
    largest_difference: float
    fp32_difference: float | None
    """From the scores before quantisation; None: the reference has none."""
    fp32_difference_at_freeze: float | None
    fp32_file: str
    """Name of the ONNX file that gave those."""
    made: dict[str, Any]
    """Date, versions and processor of the reference."""


def reference_path(bundle: Path) -> Path:
    """Return where the reference of a bundle lies."""
    manifest = manifest_path(bundle.resolve())
    kind = "" if manifest.name == MANIFEST else f"-{manifest.stem}"
    return manifest.parent.with_name(f"{manifest.parent.name}{kind}-selftest.json")


def freeze(bundle: Path, fp32: Path | None = None) -> Path:
    """Write the reference of a bundle, as it scores here.

    Args:
        bundle: as :func:`~boilerplate_clf.bundle.load_bundle` takes it.
        fp32: the ONNX file that its own was quantised from (``export/model.fp32.onnx`` of a run).

    Raises:
        BundleError: the bundle or the file cannot be used.
    """
    document = _run(bundle)
    reference: dict[str, Any] = {
        "manifest_sha256": sha256_file(manifest_path(bundle)),
        "made": {"date": str(datetime.date.today()), "versions": versions(), "cpu": cpu()},
        "labels": [str(p.label) for p in document],
        "scores": _scores(document),
    }
    if fp32 is not None:
        with tempfile.TemporaryDirectory() as folder:
            full = _with_model(bundle, fp32, Path(folder) / "bundle")
            reference["fp32"] = {"file": fp32.name, "scores": _scores(_run(full))}
    path = reference_path(bundle)
    write_json(path, reference)
    return path


def compare(bundle: Path) -> Comparison | None:
    """Label the paragraphs, and compare with the reference.

    Returns:
        None where there is no reference.

    Raises:
        BundleError: the bundle cannot be used, or the reference is another model's.
    """
    path = reference_path(bundle)
    if not path.is_file():
        return None
    try:
        reference = json.loads(path.read_text(encoding="utf-8"))
        if reference["manifest_sha256"] != sha256_file(manifest_path(bundle)):
            raise BundleFormatError(
                f"{path}: is of another model: freeze it anew with boilerplate-clf doctor --model {bundle} "
                "--freeze"
            )
        document = _run(bundle)
        scores, full = _scores(document), reference.get("fp32")
        changed = sum(str(p.label) != label for p, label in zip(document, reference["labels"], strict=True))
        return Comparison(
            changed,
            _difference(scores, reference["scores"]),
            None if full is None else _difference(scores, full["scores"]),
            None if full is None else _difference(reference["scores"], full["scores"]),
            "" if full is None else str(full["file"]),
            dict(reference["made"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleFormatError(f"{path}: is no reference ({error}): freeze it anew") from error


def _run(bundle: Path) -> Document:
    return Classifier(bundle).predict(PARAGRAPHS)


def _scores(document: Document) -> list[dict[str, float]]:
    return [{str(name): round(value, _DIGITS) for name, value in p.scores.items()} for p in document]


def _difference(found: list[dict[str, float]], expected: list[dict[str, float]]) -> float:
    return max(
        abs(row[name] - value)
        for row, wanted in zip(found, expected, strict=True)
        for name, value in wanted.items()
    )


def _with_model(bundle: Path, model: Path, target: Path) -> Path:
    """Copy a bundle, with another ONNX file."""
    loaded = load_bundle(bundle)
    shutil.copytree(loaded.path, target)
    shutil.copy(model, target / MODEL)
    entry = FileEntry(sha256_file(model), model.stat().st_size)
    manifest = replace(loaded.manifest, files={**loaded.manifest.files, MODEL: entry})
    manifest.write(target / loaded.manifest_name)
    return target / loaded.manifest_name
