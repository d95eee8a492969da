"""Labelling in a terminal: what is asked next, what has been answered, and undoing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from boilerplate_clf.errors import InputError
from boilerplate_clf.retrain.rows import Row, group_rows
from boilerplate_clf.retrain.tables import TABLE, read_csv, table_line, write_csv

UNDO, SKIP, QUIT = "u", "s", "q"
_KEYS = "123456789abcdefghijklmnoprtvwxyz"  # without the commands' own keys
_CONTEXT = 2


@dataclass(frozen=True)
class Question:
    """A paragraph without a label, in its place."""

    row: Row
    before: tuple[str, ...]
    after: tuple[str, ...]


class Labelling:
    """Goes through unlabelled rows; every answer is in the file before the next question.

    Args:
        rows: to label; rows with a label are context.
        labels: the labels to choose from.
        output: CSV file of the answers; one that exists is gone on with, what is in it stays as it is.

    Raises:
        InputError: fewer than two labels, more than there are keys, or ``output`` is not called ``.csv``.
        DataError: ``output`` is there and cannot be read as CSV.
    """

    def __init__(self, rows: Sequence[Row], labels: Sequence[str], output: Path) -> None:
        """Read the answers that are there."""
        if not 2 <= len(set(labels)) <= len(_KEYS):
            raise InputError(f"give between 2 and {len(_KEYS)} labels, not {len(set(labels))}")
        if output.suffix.lower() != ".csv":
            raise InputError(f"{output}: answers are written as CSV: name a file that ends in .csv")
        self.keys = dict(zip(_KEYS, dict.fromkeys(labels), strict=False))
        self.output = output
        names, kept, self.answers = read_csv(output) if output.exists() else ([], [], [])
        more = [name for name in TABLE if name not in names]
        self._header = [*names, *more]
        self._kept = [[*cells, *[""] * len(more)] for cells in kept]
        done = {_identity(row) for row in self.answers}
        self._questions = [q for q in _questions(rows) if _identity(q.row) not in done]
        self._answered: list[tuple[int, bool]] = []
        self._at = 0

    @property
    def total(self) -> int:
        """Number of questions of this sitting."""
        return len(self._questions)

    @property
    def number(self) -> int:
        """Number of the question that is asked now, from 1."""
        return self._at + 1

    def question(self) -> Question | None:
        """Return what is asked now; None: everything has been."""
        return self._questions[self._at] if self._at < len(self._questions) else None

    def press(self, key: str) -> bool:
        """Act on a key: a label's, undo or skip; return whether it meant anything."""
        question = self.question()
        if key == UNDO:
            if not self._answered:
                return False
            self._at, saved = self._answered.pop()
            if saved:
                self.answers.pop()
                self._save()
            return True
        if question is None:
            return False
        if key == SKIP:
            self._answered.append((self._at, False))
        elif key in self.keys:
            self.answers.append(replace(question.row, label=self.keys[key]))
            self._save()
            self._answered.append((self._at, True))
        else:
            return False
        self._at += 1
        return True

    def _save(self) -> None:
        """Write the file anew: rows that were there with all of their cells, then this sitting's answers."""
        added = [dict(zip(TABLE, table_line(row), strict=True)) for row in self.answers[len(self._kept) :]]
        lines = [[cells.get(name, "") for name in self._header] for cells in added]
        write_csv(self.output, self._header, [*self._kept, *lines])


def _questions(rows: Sequence[Row]) -> list[Question]:
    found = []
    for group in group_rows(rows):
        texts = [row.text for row in group]
        for place, row in enumerate(group):
            if row.text and not row.label:
                before = tuple(texts[max(0, place - _CONTEXT) : place])
                found.append(Question(row, before, tuple(texts[place + 1 : place + 1 + _CONTEXT])))
    return found


def _identity(row: Row) -> tuple[str, str, float]:
    return row.text, row.document, row.position if row.document else 0.0
