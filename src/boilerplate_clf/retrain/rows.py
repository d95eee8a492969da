"""One labelled (or not yet labelled) paragraph, as people keep it: a row of a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from boilerplate_clf.labels import UNDECIDED
from boilerplate_clf.training.data import LabelledDocument, writable

SPLITS = ("train", "dev", "test")
"""What a column `split` may say; an empty cell leaves the choice to the program."""


@dataclass(frozen=True)
class Columns:
    """Names of the columns (or JSON keys) that are read; only the first must exist."""

    text: str = "text"
    label: str = "label"
    document: str = "document"
    position: str = "position"
    split: str = "split"
    weight: str = "weight"


@dataclass(frozen=True)
class Row:
    """A paragraph; its strings are :func:`~boilerplate_clf.training.data.writable`."""

    text: str
    label: str
    """Empty: not labelled yet, or undecidable ("?" in the file)."""
    where: str
    """File and row, as error messages name it."""
    document: str = ""
    """Rows of one document are read together, in order of ``position``; empty: a document by itself."""
    position: float = 0.0
    split: str = ""
    weight: float = 1.0

    def __post_init__(self) -> None:
        """Make the strings writable here, not when they are written: a row is known again when read back."""
        for name in ("text", "label", "where", "document"):
            object.__setattr__(self, name, writable(getattr(self, name)))

    @property
    def key(self) -> str:
        """The text without case and spacing: rows with equal keys say the same."""
        return " ".join(self.text.split()).casefold()

    @property
    def group(self) -> str:
        """What rows of one document have in common; a row without a document is one by itself."""
        return self.document or self.where


def group_rows(rows: Iterable[Row]) -> list[list[Row]]:
    """Put the rows of each document together, in the order of ``position``, then of the file."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    return [sorted(group, key=lambda row: row.position) for group in groups.values()]


def to_documents(rows: Iterable[Row]) -> list[LabelledDocument]:
    """Make documents of rows; a row without a label is context (label "?")."""
    return [_document(group) for group in group_rows(rows)]


def _document(rows: Sequence[Row]) -> LabelledDocument:
    name = rows[0].group
    return LabelledDocument(
        name, name, tuple(row.text for row in rows), tuple(row.label or UNDECIDED for row in rows)
    )
