"""Reading labelled paragraphs from spreadsheets, tables and annotation tools.

Which format a file has is told by its name and, for JSON, by the keys of its records
(:mod:`boilerplate_clf.retrain.records`). Encoding and delimiter of CSV files are found out.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from boilerplate_clf.errors import DataError, InputError
from boilerplate_clf.extras import require
from boilerplate_clf.files import atomic_write
from boilerplate_clf.labels import UNDECIDED
from boilerplate_clf.limits import MAX_CELL_CHARS, MAX_TABLE_BYTES
from boilerplate_clf.retrain.records import record_rows
from boilerplate_clf.retrain.rows import SPLITS, Columns, Row
from boilerplate_clf.training.data import parse_json, writable

TABLE = ("text", "label", "document", "position")
"""Header of the tables that are written, in the names that are read by default."""

_SNIFFED = 64 * 1024
_DELIMITERS = ",;\t|"

Cells = Mapping[str, Any]


def read_rows(paths: Sequence[Path], columns: Columns | None = None) -> list[Row]:
    """Read all rows of several files, the unlabelled ones too.

    Args:
        paths: ``.csv``, ``.tsv``, ``.xlsx``, ``.jsonl``, ``.json`` or ``.parquet`` files.
        columns: names of the columns.

    Raises:
        DataError: a file cannot be read, or a row of it is not one; file, row, cause and remedy are named.
            Rows are counted as a spreadsheet shows them: the header is row 1.
    """
    if not paths:
        raise DataError("no file given: name at least one file with labelled paragraphs")
    rows = [row for path in paths for row in _read(path, columns or Columns())]
    if not rows:
        raise DataError(f"{', '.join(map(str, paths))}: no rows below the header")
    return rows


def _read(path: Path, columns: Columns) -> list[Row]:
    readers = {
        ".csv": _csv_rows,
        ".tsv": _csv_rows,
        ".xlsx": _xlsx_rows,
        ".parquet": _parquet_rows,
        ".jsonl": _jsonl_rows,
        ".ndjson": _jsonl_rows,
        ".json": _json_rows,
    }
    _check_file(path)
    reader = readers.get(path.suffix.lower())
    if reader is None:
        known = ", ".join(readers)
        raise DataError(f"{path}: unknown kind of file '{path.suffix}': save it as one of {known}")
    return list(reader(path, columns))


def _check_file(path: Path) -> None:
    """Raise DataError where there is no file of a size that can be read."""
    if path.is_dir():
        raise DataError(f"{path}: is a folder: name the files in it")
    try:
        size = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not size:
        raise DataError(f"{path}: the file is empty")
    if size > MAX_TABLE_BYTES:
        raise DataError(f"{path}: larger than {MAX_TABLE_BYTES // 2**20} MiB: split it into several files")


def refuse_input(output: Path, inputs: Iterable[Path]) -> None:
    """Raise InputError where ``output`` is one of the inputs, under that name or another."""
    for path in inputs:
        if output.exists() and path.exists() and output.samefile(path):
            raise InputError(f"{output}: is the input {path}, which would be overwritten: name another file")


def refuse_labelled(output: Path) -> None:
    """Raise InputError where ``output`` is a table that somebody has filled in."""
    try:
        filled = sum(bool(row.label) for row in read_csv(output)[2])
    except DataError:  # there is no such file, or none of ours
        return
    if filled:
        raise InputError(f"{output}: would lose the labels in it ({filled}): name another file")


def table_line(row: Row) -> tuple[str, str, str, str]:
    """Return a row as a line of a :data:`TABLE`, its position exactly."""
    place = float(row.position)
    position = f"{place:.0f}" if place.is_integer() else repr(place)
    return row.text, row.label, row.document, position if row.document else ""


def read_csv(path: Path) -> tuple[list[str], list[list[str]], list[Row]]:
    """Read a CSV file of the default columns, and maybe others, so that it can be written again.

    Returns:
        The header, the cells of each row (as many as the header has), and the same as rows.

    Raises:
        DataError: as :func:`read_rows`, but nothing need be below the header.
    """
    _check_file(path)
    columns = Columns()
    names, lines = _csv_cells(path, columns)
    rows = [_row(dict(zip(names, cells, strict=True)), where, columns) for where, cells in lines]
    return names, [cells for _, cells in lines], rows


def write_csv(path: Path, header: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    """Write a table as CSV: UTF-8 with a byte order mark, without which spreadsheets garble umlauts."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header, *lines])
    with atomic_write(path) as stream:
        stream.write(writable(text.getvalue()).encode("utf-8-sig"))


def decode(data: bytes, path: Path) -> str:
    """Return a file's text: UTF-8, UTF-16 with a byte order mark, or Windows-1252.

    The last is what German spreadsheets write that do not write UTF-8. Detectors by statistics were
    tried: on short German texts they prefer Eastern European code pages.

    Raises:
        DataError: no encoding fits.
    """
    utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if utf16 else ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise DataError(f"{path}: the encoding of the text cannot be told: save the file as UTF-8")


def _csv_rows(path: Path, columns: Columns) -> Iterator[Row]:
    names, lines = _csv_cells(path, columns)
    for where, cells in lines:
        yield _row(dict(zip(names, cells, strict=True)), where, columns)


def _csv_cells(path: Path, columns: Columns) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Return the header, and of each row its place and its cells, as many as the header has."""
    text = decode(path.read_bytes(), path)
    if "\0" in text:
        raise DataError(f"{path}: contains NUL characters: this is not a text file")
    csv.field_size_limit(MAX_CELL_CHARS)
    try:
        dialect = csv.Sniffer().sniff(text[:_SNIFFED], _DELIMITERS)
        delimiter = dialect.delimiter
    except csv.Error:
        delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    header = text.split("\n", 1)[0]
    if delimiter not in header:  # guessed from the sentences' own commas
        delimiter = next((mark for mark in ";\t|," if mark in header), delimiter)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=False)
    names: list[str] | None = None
    lines: list[tuple[str, list[str]]] = []
    number = 0
    try:
        for number, cells in enumerate(reader, 1):
            if names is None:
                names = _header(cells, path, columns)
                continue
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(names):
                raise DataError(
                    f"{path}: row {number} has {len(cells)} cells, the header {len(names)}: put texts that "
                    f"contain {delimiter!r} into quotation marks"
                )
            lines.append((f"{path}: row {number}", cells + [""] * (len(names) - len(cells))))
    except csv.Error as error:
        raise DataError(f"{path}: row {number + 1} cannot be read: {error}") from error
    if names is None:
        raise DataError(f"{path}: the file is empty")
    return names, lines


def _header(cells: Sequence[Any], path: Path, columns: Columns) -> list[str]:
    names = [str(cell).strip() if cell is not None else "" for cell in cells]
    if columns.text not in names:
        shown = ", ".join(repr(name) for name in names[:12] if name) or "nothing"
        raise DataError(
            f"{path}: no column {columns.text!r} in the first row (there is {shown}): name the column with "
            "--text-column"
        )
    twice = {name for name in names if name and names.count(name) > 1}
    if twice:
        raise DataError(f"{path}: the column {min(twice)!r} stands twice in the header: rename one")
    return names


def _xlsx_rows(path: Path, columns: Columns) -> Iterator[Row]:
    openpyxl = require("train", "openpyxl")
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        sheet = book.worksheets[0]
        values = sheet.iter_rows(values_only=True)
        first = next(values, None)
        table = list(values)
        book.close()
    except Exception as error:  # zip, XML and openpyxl's own errors
        raise DataError(f"{path}: not a readable XLSX file: {_first_line(error)}") from error
    if first is None:
        raise DataError(f"{path}: the first sheet is empty")
    names = _header(first, path, columns)
    for number, cells in enumerate(table, 2):
        if any(cell is not None and str(cell).strip() for cell in cells):
            yield _row(dict(zip(names, cells, strict=False)), f"{path}: row {number}", columns)


def _parquet_rows(path: Path, columns: Columns) -> Iterator[Row]:
    parquet = require("train", "pyarrow.parquet")
    try:
        table = parquet.read_table(path)
    except Exception as error:  # pyarrow raises many unrelated types
        raise DataError(f"{path}: not a readable Parquet file: {_first_line(error)}") from error
    if "paragraphs" not in table.column_names:
        _header(table.column_names, path, columns)
    for number, record in enumerate(table.to_pylist(), 1):
        yield from _checked(record, f"{path}: row {number}", columns)


def _jsonl_rows(path: Path, columns: Columns) -> Iterator[Row]:
    for number, line in enumerate(decode(path.read_bytes(), path).split("\n"), 1):
        if line.strip():
            where = f"{path}:{number}"
            yield from _checked(parse_json(line, where), where, columns)


def _json_rows(path: Path, columns: Columns) -> Iterator[Row]:
    records = parse_json(decode(path.read_bytes(), path), str(path))
    if not isinstance(records, list):
        raise DataError(f"{path}: not a JSON array of records: JSON with one object a line is .jsonl")
    for number, record in enumerate(records, 1):
        yield from _checked(record, f"{path}: record {number}", columns)


def _checked(record: Any, where: str, columns: Columns) -> Iterator[Row]:
    for cells, place in record_rows(record, where, columns):
        yield _row(cells, place, columns)


def _row(cells: Cells, where: str, columns: Columns) -> Row:
    """Make a row of its cells.

    Raises:
        DataError: a cell that is not what its column holds.
    """
    text = cells.get(columns.text)
    if text is not None and not isinstance(text, str):
        text = str(text)
    if text and len(text) > MAX_CELL_CHARS:
        raise DataError(f"{where}: the text has {len(text):,} characters: at most {MAX_CELL_CHARS:,}")
    split = _cell(cells, columns.split).lower()
    split = {
        "training": "train",
        "validation": "dev",
        "valid": "dev",
        "val": "dev",
        "evaluation": "test",
    }.get(split, split)
    if split and split not in SPLITS:
        raise DataError(f"{where}: split {split!r} is none of {', '.join(SPLITS)} (or empty)")
    weight = _number(cells, columns.weight, where, 1.0)
    if not weight >= 0:
        raise DataError(f"{where}: weight {weight:g} is negative")
    label = _cell(cells, columns.label)
    return Row(
        (text or "").strip(),
        "" if label == UNDECIDED else label,
        where,
        _cell(cells, columns.document),
        _number(cells, columns.position, where, 0.0),
        split,
        weight,
    )


def _cell(cells: Cells, name: str) -> str:
    value = cells.get(name)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # spreadsheets keep numbers as 3.0
    return str(value).strip()


def _number(cells: Cells, name: str, where: str, default: float) -> float:
    value = _cell(cells, name)
    if not value:
        return default
    try:
        number = float(value.replace(",", "."))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"{where}: {name} {value!r} is not a number")
    return number


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
