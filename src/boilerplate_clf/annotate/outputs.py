"""Writing parts: each is there as a whole or not at all."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from boilerplate_clf.annotate.inputs import HTML, RAW, Chunk
from boilerplate_clf.annotate.records import CLEAN_TEXT, ERROR, EXTRACTED, PARAGRAPHS
from boilerplate_clf.extras import require

_RECEIPTS = "_parts"
_SAME_NAME = "input_"
"""Put before an input's column that is called like one of ours."""


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
        """Return what a part holds, None if it is not finished."""
        data = self.read(f"{_RECEIPTS}/{part}.json")
        return None if data is None else Receipt(**json.loads(data))

    def write_part(self, part: str, chunk: Chunk, added: dict[str, list[Any]]) -> Receipt:
        """Write a part, then its receipt."""
        data = self._parquet(chunk, added) if self.form == "parquet" else self._jsonl(chunk, added)
        self.write(f"{part}.{self.form}", data)
        labels = Counter(p["label"] for ps in added[PARAGRAPHS] for p in ps or ())
        errors = sum(error is not None for error in added[ERROR])
        receipt = Receipt(len(chunk), errors, dict(sorted(labels.items())))
        self.write(f"{_RECEIPTS}/{part}.json", json.dumps(asdict(receipt)).encode())
        return receipt

    def write(self, name: str, data: bytes) -> None:
        """Write a file beside its final name and move it there: nobody ever sees half of it."""
        path = f"{self.root}/{name}"
        self.files.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        unfinished = f"{path}.unfinished"
        with self.files.open(unfinished, "wb") as stream:
            stream.write(data)
        if hasattr(self.files, "local_file"):
            Path(unfinished).replace(path)
        else:
            self.files.mv(unfinished, path)

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
        lines = []
        for place, row in enumerate(rows):
            new = {name: values[place] for name, values in added.items()}
            lines.append(json.dumps({**self._renamed(row, added), **new}, ensure_ascii=False, default=str))
        return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")

    def _renamed(self, row: dict[str, Any], added: dict[str, list[Any]]) -> dict[str, Any]:
        return {
            (f"{_SAME_NAME}{name}" if name in added else name): value
            for name, value in row.items()
            if self.keep_html or name != HTML
        }

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
        table = self._table(chunk, arrow)
        names = [f"{_SAME_NAME}{name}" if name in added else name for name in table.column_names]
        table = table.rename_columns(names)
        for name, values in added.items():
            clean = [_valid(value) for value in values] if name in (CLEAN_TEXT, EXTRACTED, ERROR) else values
            table = table.append_column(name, arrow.array(clean, kinds[name]))
        stream = arrow.BufferOutputStream()
        parquet.write_table(table, stream)
        data: bytes = stream.getvalue().to_pybytes()
        return data

    def _table(self, chunk: Chunk, arrow: Any) -> Any:
        """Return the input's columns: with their types, or (of JSONL and CSV) as texts.

        JSON records may hold anything under a name, so other values than texts become their JSON: a column
        then has the same type in every part.
        """
        if chunk.table is not None:
            return arrow.Table.from_batches([chunk.table])
        names = list(
            dict.fromkeys(name for row in chunk.rows for name in row if self.keep_html or name != HTML)
        )
        columns = [
            arrow.array([_text(row.get(name)) for row in chunk.rows], arrow.string()) for name in names
        ]
        if not names:  # records without any key
            return arrow.table({RAW: arrow.array([None] * len(chunk), arrow.string())})
        return arrow.table(columns, names=[_valid(name) for name in names])


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return _valid(value)
    return _valid(json.dumps(value, ensure_ascii=False, default=str))


def _valid(text: str | None) -> str | None:
    """Return a text that UTF-8 can hold."""
    return None if text is None else text.encode("utf-8", "replace").decode("utf-8")
