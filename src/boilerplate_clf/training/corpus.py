"""Reading unlabelled text for pre-training.

Two formats are read, each optionally xz-compressed:

* ``.txt``: one paragraph a line, a blank line between documents;
* ``.jsonl``: one document a line, ``paragraphs`` a list of strings or of objects with ``text``.
"""

from __future__ import annotations

import json
import lzma
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from boilerplate_clf.errors import DataError


@dataclass(frozen=True)
class Source:
    """A text file of the pre-training mixture."""

    path: Path
    weight: float = 1.0
    """Sampling weight per token: 2.0 shows each of its tokens twice as often as 1.0 does."""

    @property
    def name(self) -> str:
        """File name without its endings."""
        return self.path.name.split(".")[0]


def open_text(path: Path) -> IO[str]:
    """Open a text file for reading, through xz where the name ends in ``.xz``.

    Raises:
        DataError: the file does not exist or cannot be read.
    """
    try:
        if path.suffix == ".xz":
            return lzma.open(path, "rt", encoding="utf-8")
        return path.open(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def iter_documents(path: Path) -> Iterator[list[str]]:
    """Yield documents as lists of non-empty paragraphs, in the file's order.

    Raises:
        DataError: unreadable file, or a JSONL line that is not a document (file and line are named).
    """
    stem = path.with_suffix("") if path.suffix == ".xz" else path
    with open_text(path) as lines:
        if stem.suffix == ".jsonl":
            yield from _jsonl_documents(path, lines)
        else:
            yield from _text_documents(lines)


def _text_documents(lines: IO[str]) -> Iterator[list[str]]:
    document: list[str] = []
    for line in lines:
        if text := line.strip():
            document.append(text)
        elif document:
            yield document
            document = []
    if document:
        yield document


def _jsonl_documents(path: Path, lines: IO[str]) -> Iterator[list[str]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            items = json.loads(line)["paragraphs"]
            texts = [item if isinstance(item, str) else item["text"] for item in items]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}:{number}: not a document with 'paragraphs'") from error
        if document := [text for text in texts if text.strip()]:
            yield document


def sample_texts(sources: Sequence[Source], megabytes: float, seed: int) -> Iterator[str]:
    """Yield paragraphs drawn from all sources in proportion to size and weight.

    Args:
        sources: files of the pre-training mixture.
        megabytes: about how much text to yield (millions of characters).
        seed: of the draw.
    """
    weighted = [(source, source.path.stat().st_size * source.weight) for source in sources]
    total = sum(weight for _, weight in weighted) or 1.0
    rng = random.Random(seed)
    for source, weight in weighted:
        documents = list(iter_documents(source.path))
        rng.shuffle(documents)
        left = megabytes * 1e6 * weight / total
        for document in documents:
            if left <= 0:
                break
            left -= sum(map(len, document))
            yield from document
