"""Labelled documents: the format that training and evaluation read.

One JSON document a line (or one a row of a Parquet file)::

    {"page": "...", "publisher": "...", "paragraphs": [{"text": "...", "label": "..."}, ...]}

``page`` and ``publisher`` are optional; further keys are not looked at. The label "?" marks a
paragraph that cannot be decided: it is context for its neighbours and counts nowhere.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boilerplate_clf.errors import DataError
from boilerplate_clf.extras import require
from boilerplate_clf.files import atomic_write
from boilerplate_clf.inference.classifier import model_texts
from boilerplate_clf.labels import UNDECIDED
from boilerplate_clf.training.corpus import open_text

_UNWRITABLE = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True)
class LabelledDocument:
    """A document with one label per paragraph."""

    page: str
    publisher: str
    texts: tuple[str, ...]
    labels: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of paragraphs."""
        return len(self.texts)

    def model_texts(self) -> list[str]:
        """Return what a model sees of each paragraph, as in :meth:`Classifier.predict`."""
        return model_texts(self.texts)


def read_labelled(path: Path, labels: Sequence[str] | None = None) -> list[LabelledDocument]:
    """Read labelled documents.

    Args:
        path: a ``.jsonl``, ``.jsonl.xz`` or ``.parquet`` file.
        labels: allowed labels besides "?"; None allows all.

    Raises:
        DataError: unreadable file, or a record that is not such a document; file, line (of a
            Parquet file: row) and cause are named.
    """
    records = _parquet_records(path) if path.suffix == ".parquet" else _jsonl_records(path)
    documents = [_document(record, where, labels) for where, record in records]
    if not documents:
        raise DataError(f"{path}: no documents in this file")
    return documents


def writable(text: str) -> str:
    """Return the text with U+FFFD for what a text file cannot hold: lone surrogates and NUL.

    Both are valid in JSON, where crawlers and tools that cut strings leave them.
    """
    return _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def write_labelled(path: Path, documents: Iterable[LabelledDocument]) -> None:
    """Write documents in the format that :func:`read_labelled` reads, as far as UTF-8 holds them."""
    with atomic_write(path) as stream:
        for document in documents:
            pairs = zip(document.texts, document.labels, strict=True)
            paragraphs = [{"text": text, "label": label} for text, label in pairs]
            record = {"page": document.page, "publisher": document.publisher, "paragraphs": paragraphs}
            stream.write(writable(json.dumps(record, ensure_ascii=False) + "\n").encode())


def parse_json(text: str, where: str) -> Any:
    """Return what a JSON text says.

    Raises:
        DataError: it is none; ``where`` and the cause are named.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON: {error}") from error


def _jsonl_records(path: Path) -> Iterator[tuple[str, Any]]:
    # Not through `datasets`, whose JSON reader does not tell which line is wrong.
    try:
        with open_text(path) as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield f"{path}:{number}", parse_json(line, f"{path}:{number}")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 (byte {error.start})") from error


def _parquet_records(path: Path) -> Iterator[tuple[str, Any]]:
    datasets = require("train", "datasets")
    try:
        rows = datasets.load_dataset("parquet", data_files=str(path), split="train", streaming=True)
        for number, row in enumerate(rows, 1):
            yield f"{path}:{number}", row
    except Exception as error:  # pyarrow and datasets raise many unrelated types
        raise DataError(f"{path}: not a readable Parquet file: {str(error).splitlines()[0]}") from error


def _document(record: Any, where: str, labels: Sequence[str] | None) -> LabelledDocument:
    paragraphs = record.get("paragraphs") if isinstance(record, dict) else None
    if not isinstance(paragraphs, list):
        raise DataError(f"{where}: not an object with a list 'paragraphs'")
    texts, found = [], []
    for index, item in enumerate(paragraphs):
        text = item.get("text") if isinstance(item, dict) else None
        label = item.get("label") if isinstance(item, dict) else None
        if not isinstance(text, str) or not isinstance(label, str):
            raise DataError(f"{where}: paragraph {index} lacks 'text' or 'label'")
        if labels is not None and label != UNDECIDED and label not in labels:
            raise DataError(f"{where}: paragraph {index} has label {label!r}, not one of {', '.join(labels)}")
        texts.append(text)
        found.append(label)
    return LabelledDocument(
        str(record.get("page", where)), str(record.get("publisher", where)), tuple(texts), tuple(found)
    )


def count_labels(documents: Iterable[LabelledDocument]) -> dict[str, int]:
    """Return the number of paragraphs per label, most frequent first."""
    return dict(Counter(label for document in documents for label in document.labels).most_common())


def runs_of_appeals(document: LabelledDocument, keep_label: str) -> list[tuple[int, int]]:
    """Return (start, stop) of each run of paragraphs that are not ``keep_label``.

    A single paragraph of content between two appeals belongs to the run: forms interleave their
    field names with their pitch.
    """
    appeals = [i for i, label in enumerate(document.labels) if label not in (keep_label, UNDECIDED)]
    runs: list[tuple[int, int]] = []
    for index in appeals:
        if runs and index - runs[-1][1] <= 1:
            runs[-1] = (runs[-1][0], index + 1)
        else:
            runs.append((index, index + 1))
    return runs
