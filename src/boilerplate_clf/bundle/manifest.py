"""``bundle.json``: what a bundle consists of and how its scores become labels."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from boilerplate_clf.errors import BundleFormatError, BundleIntegrityError
from boilerplate_clf.files import atomic_write, sha256_bytes
from boilerplate_clf.inference.cascade import Cascade, as_cascade
from boilerplate_clf.inference.chain import Chain, as_chain, as_number
from boilerplate_clf.inference.decide import TUNED_MODES
from boilerplate_clf.inference.windows import WindowConfig
from boilerplate_clf.limits import MAX_FACTOR, MAX_LOG_WEIGHT, MAX_WINDOW_TOKENS

FORMAT_VERSION = 3

DIGEST = "digest"
"""Field of ``bundle.json`` with the SHA-256 of the others."""
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")

MANIFEST = "bundle.json"
ACCURATE = "accurate.json"
"""A second manifest beside it, of the same files: another way to read, with thresholds of its own."""
MODEL = "model.onnx"
TOKENIZER = "tokenizer.json"
NGRAMS = "ngrams.npz"
CARD = "README.md"
EXTENSION = "extension"
"""Subfolder with the bundle of the labels that were added."""


@dataclass(frozen=True)
class FileEntry:
    """Digest and size (bytes) of one file."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """The contents of ``bundle.json``."""

    name: str
    version: str
    labels: tuple[str, ...]
    """In the order of the model's outputs."""
    keep_label: str
    """What ``clean`` keeps, and what a doubtful paragraph falls back to."""
    windows: WindowConfig | None
    """Of the encoder; None: the bundle has none, its n-gram model judges alone."""
    chain: Chain
    thresholds: Mapping[str, Mapping[str, float]]
    """Mode -> label -> least probability at which the label is given; labels without one need none."""
    files: Mapping[str, FileEntry]
    ngram_weight: float = 0.0
    """Of the n-gram model's log probabilities (``ngrams.npz``), which are added to the encoder's
    logits; 0: the bundle has no n-gram model."""
    precision: Mapping[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)
    """Label -> (threshold, precision on dev from there on), ascending in both."""
    extension: FileEntry | None = None
    """The manifest of the bundle in the subfolder ``extension``, whose labels other than its keep_label are
    added to these; None: there is none."""
    cascade: Cascade | None = None
    """What the encoder is asked about; None: everything."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """Data digests, configuration, commit, versions, metrics; not interpreted."""
    format_version: int = FORMAT_VERSION

    def to_json(self) -> str:
        """Return the text of ``bundle.json``, with a digest of itself as its last field."""
        value = json.loads(json.dumps(asdict(self)))
        return json.dumps(value | {DIGEST: _digest(value)}, ensure_ascii=False, indent=2) + "\n"

    def write(self, path: Path) -> None:
        """Write the text of ``bundle.json`` to ``path``, atomically."""
        with atomic_write(path) as stream:
            stream.write(self.to_json().encode())

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Parse and check ``bundle.json``.

        Raises:
            BundleFormatError: not JSON, unknown format version, a field missing, unknown or with
                a value that makes no sense; the field is named, the file is not.
            BundleIntegrityError: its digest is not that of its contents.
        """
        try:
            raw = json.loads(text)
            if not isinstance(raw, dict):
                raise BundleFormatError("not an object")
            # Bundles of releases before 0.5 have no digest.
            altered = DIGEST in raw and raw.pop(DIGEST) != _digest(raw)
        except (ValueError, RecursionError) as error:
            raise BundleFormatError(f"not JSON: {error}") from error
        if altered:
            raise BundleIntegrityError("altered: its digest is not that of its contents")
        found = raw.get("format_version")
        if found != FORMAT_VERSION:
            raise BundleFormatError(
                f"has format version {found!r}, this release reads {FORMAT_VERSION}: "
                "upgrade boilerplate-clf or export the model again"
            )
        known = {item.name for item in fields(cls)}
        required = known - {"ngram_weight", "precision", "extension", "cascade", "provenance"}
        if missing := required - raw.keys():
            raise BundleFormatError(f"lacks {', '.join(sorted(missing))}")
        if unknown := raw.keys() - known:
            raise BundleFormatError(f"has unknown fields {', '.join(sorted(unknown))}")
        try:
            manifest = cls(
                name=_text(raw, "name"),
                version=_text(raw, "version"),
                labels=_names(raw, "labels"),
                keep_label=_text(raw, "keep_label"),
                windows=_windows(raw["windows"]),
                chain=as_chain(raw["chain"]),
                thresholds={
                    str(mode): {str(k): as_number(v) for k, v in values.items()}
                    for mode, values in raw["thresholds"].items()
                },
                precision={
                    str(name): tuple((as_number(t), as_number(p)) for t, p in curve)
                    for name, curve in raw.get("precision", {}).items()
                },
                files={str(k): _entry(v) for k, v in raw["files"].items()},
                ngram_weight=as_number(raw.get("ngram_weight", 0.0)),
                extension=_entry(raw["extension"]) if raw.get("extension") else None,
                cascade=as_cascade(raw["cascade"]) if raw.get("cascade") else None,
                provenance=dict(raw.get("provenance", {})),
            )
        except (TypeError, ValueError, OverflowError, KeyError, AttributeError) as error:
            raise BundleFormatError(f"has a malformed field: {error}") from error
        manifest._check()
        return manifest

    def _check(self) -> None:
        names = self.labels
        if len(names) < 2 or len(set(names)) != len(names):
            raise BundleFormatError("'labels' must be at least two different names")
        if self.keep_label not in names:
            raise BundleFormatError(f"keep_label {self.keep_label!r} is not a label")
        if missing := set(TUNED_MODES) - set(self.thresholds):
            raise BundleFormatError(f"no thresholds for {', '.join(sorted(missing))}")
        for values in self.thresholds.values():
            if unknown := set(values) - set(names):
                raise BundleFormatError(f"thresholds for unknown labels {sorted(unknown)}")
            if not all(0 <= value <= 1 for value in values.values()):
                raise BundleFormatError("thresholds must lie between 0 and 1")
        if unknown := set(self.precision) - set(names):
            raise BundleFormatError(f"precision of unknown labels {sorted(unknown)}")
        for curve in self.precision.values():
            if not all(0 <= value <= 1 for point in curve for value in point):
                raise BundleFormatError("points of 'precision' must lie between 0 and 1")
        _check_chain("chain", self.chain, len(names))
        if self.cascade is not None:
            self._check_cascade(self.cascade)
        if not 0 <= self.ngram_weight <= MAX_FACTOR:
            raise BundleFormatError(f"'ngram_weight' must lie between 0 and {MAX_FACTOR}")
        if self.windows is None and not self.ngram_weight:
            raise BundleFormatError("neither an encoder nor an n-gram model")
        encoder = (MODEL, TOKENIZER) if self.windows is not None else ()
        for needed in (*encoder, *((NGRAMS,) if self.ngram_weight else ())):
            if needed not in self.files:
                raise BundleFormatError(f"'files' lacks {needed}")
        for name in self.files:
            # A name is looked up inside the bundle's folder only.
            if not _FILE_NAME.fullmatch(name) or name in {MANIFEST, ACCURATE, CARD, EXTENSION}:
                raise BundleFormatError(f"file name {name!r} is not allowed")

    def _check_cascade(self, cascade: Cascade) -> None:
        _check_chain("cascade.chain", cascade.chain, len(self.labels))
        if self.windows is None or not self.ngram_weight:
            raise BundleFormatError("a 'cascade' takes both an encoder and an n-gram model")
        if problem := cascade.problem(len(self.labels), self.labels.index(self.keep_label)):
            raise BundleFormatError(f"'cascade.{problem[0]}' {problem[1]}")


def _check_chain(name: str, chain: Chain, size: int) -> None:
    if not 1 / MAX_FACTOR <= chain.temperature <= MAX_FACTOR:
        raise BundleFormatError(
            f"'{name}.temperature' must be positive, from {1 / MAX_FACTOR} to {MAX_FACTOR}"
        )
    if len(chain.bias) not in (0, size) or [len(row) for row in chain.transitions] not in (
        [],
        [size] * size,
    ):
        raise BundleFormatError(f"'{name}' must have a weight for each label, or none")
    if not all(abs(v) <= MAX_LOG_WEIGHT for row in (*chain.transitions, chain.bias) for v in row):
        raise BundleFormatError(f"'{name}' has a weight beyond {MAX_LOG_WEIGHT}")


def _digest(value: Mapping[str, Any]) -> str:
    """Return the SHA-256 of JSON values, however they are written: it tells damage, not the author."""
    return sha256_bytes(json.dumps(value, sort_keys=True).encode())


def _entry(raw: Mapping[str, Any]) -> FileEntry:
    return FileEntry(str(raw["sha256"]), int(raw["size"]))


def _names(raw: Mapping[str, Any], key: str) -> tuple[str, ...]:
    values = raw[key]
    if not isinstance(values, list) or not all(isinstance(value, str) and value for value in values):
        raise TypeError(f"{key} must be a list of non-empty strings")
    return tuple(values)


def _windows(raw: Mapping[str, Any] | None) -> WindowConfig | None:
    if raw is None:
        return None
    if not all(type(value) is int and 0 <= value < 2**31 for value in raw.values()):
        raise ValueError("windows must be whole numbers, not negative")
    if raw["window_tokens"] > MAX_WINDOW_TOKENS:
        raise ValueError(f"windows of more than {MAX_WINDOW_TOKENS:,} tokens")
    return WindowConfig(**raw)


def _text(raw: Mapping[str, Any], key: str) -> str:
    value = raw[key]
    if not isinstance(value, str) or not value:
        raise TypeError(f"{key} must be a non-empty string")
    return value
