"""Writing parts: each is there as a whole or not at all."""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from boilerplate_clf.annotate.inputs import HTML, RAW, Chunk
from boilerplate_clf.annotate.layout import RECEIPTS, UNFINISHED, is_ours
from boilerplate_clf.annotate.records import CLEAN_TEXT, ERROR, EXTRACTED, PARAGRAPHS
from boilerplate_clf.extras import require
from boilerplate_clf.files import to_json

_SAME_NAME = "input_"
"""Put before an input's column that is called like one of ours, and before one that has it already: what a
column is called does not depend on which others a part holds."""

_DEAD = 86_400
"""Seconds after which nobody goes on with an unfinished file: it is written at once."""


@dataclass(frozen=True)
class Receipt:
    """What a finished part holds."""

    documents: int
    errors: int
    paragraphs: dict[str, int]
    """By label."""


class Output:
    """A folder, local or behind an fsspec URL, that parts are written into.

    Args:
        folder: its path or URL.
        form: ``parquet`` or ``jsonl``.
        keep_html: whether an input's column of pages is written again.
    """

    def __init__(self, folder: str, form: str, *, keep_html: bool = True) -> None:
        """Nothing is written yet."""
        self.files, self.root = require("annotate", "fsspec").core.url_to_fs(folder)
        self.form, self.keep_html = form, keep_html

    def receipt(self, part: str) -> Receipt | None:
        """Return what a part holds, None if it is not finished, or part or receipt are lost or damaged."""
        data = self.read(f"{RECEIPTS}/{part}.json")
        if data is None:
            return None
        try:
            whole = Receipt(**json.loads(data))
            return whole if self.files.size(f"{self.root}/{part}.{self.form}") else None
        except (ValueError, TypeError, FileNotFoundError):  # empty or cut off, as after a loss of power
            return None

    def write_part(self, part: str, chunk: Chunk, added: dict[str, list[Any]]) -> Receipt:
        """Write a part, then its receipt."""
        data = self._parquet(chunk, added) if self.form == "parquet" else self._jsonl(chunk, added)
        self.write(f"{part}.{self.form}", data)
        labels = Counter(p["label"] for ps in added[PARAGRAPHS] for p in ps or ())
        errors = sum(error is not None for error in added[ERROR])
        receipt = Receipt(len(chunk), errors, dict(sorted(labels.items())))
        self.write(f"{RECEIPTS}/{part}.json", json.dumps(asdict(receipt)).encode())
        return receipt

    def write(self, name: str, data: bytes) -> None:
        """Write a file beside its final name and move it there: nobody ever sees half of it.

        Two jobs may write the same file: each has an unfinished one of its own, and the last one's stays.
        """
        path = f"{self.root}/{name}"
        self.files.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        unfinished = f"{path}.{uuid.uuid4().hex}{UNFINISHED}"
        try:
            with self.files.open(unfinished, "wb") as stream:
                stream.write(data)
            if hasattr(self.files, "local_file"):
                Path(unfinished).replace(path)
            else:
                self.files.mv(unfinished, path)
        except BaseException:
            with suppress(Exception):  # what went wrong first is what counts
                self.files.rm_file(unfinished)
            raise

    def tidy(self) -> None:
        """Remove what killed runs have left unfinished in a local folder, once it is a day old.

        Younger files may be those of a job that runs beside this one; no reader takes them for a part.
        """
        if not hasattr(self.files, "local_file"):
            return
        root = Path(self.root)
        for path in [*root.glob(f"*{UNFINISHED}"), *root.glob(f"{RECEIPTS}/*{UNFINISHED}")]:
            with suppress(OSError):  # another job tidies, too
                if is_ours(path.relative_to(root).as_posix()) and time.time() - path.stat().st_mtime > _DEAD:
                    path.unlink()

    def only_ours(self) -> bool:
        """Return whether the folder holds nothing but what a run writes."""
        root = self.root.rstrip("/") + "/"
        return all(is_ours(name[len(root) :]) for name in self.files.find(self.root))

    def read(self, name: str) -> bytes | None:
        """Return a file's contents, None if there is no such file."""
        path = f"{self.root}/{name}"
        if not self.files.exists(path):
            return None
        with self.files.open(path, "rb") as stream:
            data: bytes = stream.read()
        return data

    def _jsonl(self, chunk: Chunk, added: dict[str, list[Any]]) -> bytes:
        rows = chunk.rows if chunk.table is None else chunk.table.to_pylist()
        names = self._names(chunk, added)
        lines = []
        for place, row in enumerate(rows):
            old = {names[name]: value for name, value in row.items() if name in names}
            new = {name: values[place] for name, values in added.items()}
            lines.append(to_json(old | new, default=_plain))
        return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")

    def _names(self, chunk: Chunk, added: dict[str, list[Any]]) -> dict[str, str]:
        """Return under which name each of the input's columns is written: no two get the same."""
        if chunk.table is not None:
            given = list(chunk.table.schema.names)
        else:
            given = list(dict.fromkeys(name for row in chunk.rows for name in row))
            given = [name for name in given if self.keep_html or name != HTML]
        names: dict[str, str] = {}
        taken = set(added)
        for name in sorted(given, key=lambda name: name != _valid(name)):
            new = _valid(f"{_SAME_NAME}{name}" if _unprefixed(name) in added else name)
            while new in taken:  # two that differ in what UTF-8 cannot hold
                new = f"{_SAME_NAME}{new}"
            names[name] = new
            taken.add(new)
        return {name: names[name] for name in given}

    def _parquet(self, chunk: Chunk, added: dict[str, list[Any]]) -> bytes:
        arrow = require("annotate", "pyarrow")
        parquet = require("annotate", "pyarrow.parquet")
        paragraph = arrow.struct(
            [
                ("start", arrow.int64()),
                ("end", arrow.int64()),
                ("label", arrow.string()),
                ("score", arrow.float64()),
            ]
        )
        kinds = {
            PARAGRAPHS: arrow.list_(paragraph),
            CLEAN_TEXT: arrow.string(),
            ERROR: arrow.string(),
            EXTRACTED: arrow.string(),
        }
        table = self._table(chunk, self._names(chunk, added), arrow)
        for name, values in added.items():
            clean = [_text(value) for value in values] if name in (CLEAN_TEXT, EXTRACTED, ERROR) else values
            table = table.append_column(name, arrow.array(clean, kinds[name]))
        stream = arrow.BufferOutputStream()
        parquet.write_table(table, stream)
        data: bytes = stream.getvalue().to_pybytes()
        return data

    def _table(self, chunk: Chunk, names: dict[str, str], arrow: Any) -> Any:
        """Return the input's columns under their new names: with their types, or (of JSONL and CSV) as texts.

        JSON records may hold anything under a name, so other values than texts become their JSON: a column
        then has the same type in every part.
        """
        if chunk.table is not None:
            table = arrow.Table.from_batches([chunk.table])
            return table.rename_columns([names[name] for name in table.column_names])
        columns = [
            arrow.array([_text(row.get(name)) for row in chunk.rows], arrow.string()) for name in names
        ]
        if not names:  # records without any key
            return arrow.table({RAW: arrow.array([None] * len(chunk), arrow.string())})
        return arrow.table(columns, names=list(names.values()))


def _unprefixed(name: str) -> str:
    while name.startswith(_SAME_NAME):
        name = name.removeprefix(_SAME_NAME)
    return name


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return _valid(value if isinstance(value, str) else to_json(value, default=_plain))


def _plain(value: Any) -> str:
    """Return what JSON has no type for as a text."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _valid(text: str) -> str:
    """Return a text that UTF-8 can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")
