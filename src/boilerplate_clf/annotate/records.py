"""From the records of a chunk to the columns that are added to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from boilerplate_clf.annotate.inputs import HTML, Chunk
from boilerplate_clf.errors import InputError
from boilerplate_clf.html.extract import extract
from boilerplate_clf.inference.classifier import Classifier
from boilerplate_clf.inference.document import Document

PARAGRAPHS, CLEAN_TEXT, ERROR, EXTRACTED = "paragraphs", "clean_text", "error", "extracted_text"


@dataclass(frozen=True)
class Column:
    """Which column holds the documents, and what it holds."""

    name: str = "text"
    kind: str = "text"
    """``text``, ``html`` or ``paragraphs`` (a list of strings)."""


def annotate(chunk: Chunk, column: Column, classifier: Classifier) -> dict[str, list[Any]]:
    """Return the new columns of a chunk.

    ``paragraphs`` (a list of start, end, label, score), ``clean_text`` and ``error``; of HTML also
    ``extracted_text``, to which the offsets refer. Where there is an error, the others are None.
    """
    values = _values(chunk, column)
    documents: list[str | list[str] | None] = []
    errors: list[str | None] = []
    for place, value in enumerate(values):
        try:
            if place in chunk.errors:
                raise InputError(chunk.errors[place])
            documents.append(_document(value, column))
            errors.append(None)
        except InputError as error:
            documents.append(None)
            errors.append(str(error))
    found = _predict(documents, errors, classifier)
    columns: dict[str, list[Any]] = {
        PARAGRAPHS: [None if d is None else [_paragraph(p) for p in d] for d in found],
        CLEAN_TEXT: [None if d is None else d.clean_text for d in found],
        ERROR: list(errors),
    }
    if column.kind == HTML:
        columns[EXTRACTED] = [None if d is None else text for d, text in zip(found, documents, strict=True)]
    return columns


def _values(chunk: Chunk, column: Column) -> Sequence[Any]:
    if chunk.table is None:
        return [row.get(column.name) for row in chunk.rows]
    if column.name not in chunk.table.schema.names:
        return [None] * len(chunk)
    values: list[Any] = chunk.table.column(column.name).to_pylist()
    return values


def _document(value: Any, column: Column) -> str | list[str]:
    """Return what the classifier takes.

    Raises:
        InputError: the column is empty or holds something else.
    """
    if value is None:
        raise InputError(f"no {column.name!r} in this record")
    if column.kind == HTML:
        paragraphs, _ = extract(value)
        return "\n".join(paragraphs)
    if column.kind == PARAGRAPHS:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise InputError(f"{column.name!r} is not a list of texts")
        return value
    if not isinstance(value, str):
        raise InputError(f"{column.name!r} is {type(value).__name__}, not a text")
    return value


def _predict(
    documents: Sequence[str | list[str] | None], errors: list[str | None], classifier: Classifier
) -> list[Document | None]:
    """Label what can be labelled, and note the error of what cannot."""
    results: list[Document | None] = [None] * len(documents)
    usable = [place for place, document in enumerate(documents) if document is not None]
    try:
        given = [documents[place] or "" for place in usable]
        for place, document in zip(usable, classifier.predict_batch(given), strict=True):
            results[place] = document
    except InputError:  # one of them is too large: find out which
        for place in usable:
            try:
                results[place] = classifier.predict(documents[place] or "")
            except InputError as error:
                results[place], errors[place] = None, str(error)
    return results


def _paragraph(paragraph: Any) -> dict[str, Any]:
    return {
        "start": paragraph.start,
        "end": paragraph.end,
        "label": str(paragraph.label),
        "score": round(paragraph.score, 6),
    }
