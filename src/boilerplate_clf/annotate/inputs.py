"""Reading data sets in chunks of records, from local paths and fsspec URLs.

Records of one input always fall into the same chunks, so that a run which was killed finds its place again.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any, cast

from boilerplate_clf.annotate.layout import LeaveOut
from boilerplate_clf.annotate.warc import dechunked, ends_whole
from boilerplate_clf.errors import InputError, MissingExtraError, RunError
from boilerplate_clf.extras import require
from boilerplate_clf.limits import MAX_HTML_CHARS, MAX_PART_BYTES, MAX_RECORD_BYTES

RAW = "raw"
"""Column that keeps a record which could not be read."""

HTML = "html"
"""Column of a WARC file's pages, which is not written again."""

_SHOWN = 10_000
_KINDS = {"jsonl": "jsonl", "ndjson": "jsonl", "csv": "csv", "parquet": "parquet", "warc": "warc"}
_COMPRESSIONS = {"gz": "gzip", "zst": "zstd", "xz": "xz", "bz2": "bz2"}


@dataclass(frozen=True)
class Input:
    """A file of a data set."""

    path: str
    """Local path or fsspec URL."""
    size: int
    """Bytes."""
    kind: str
    """``jsonl``, ``csv``, ``parquet`` or ``warc``."""


@dataclass(frozen=True)
class _Record:
    row: dict[str, Any]
    size: int
    """Bytes that it holds, or nearly so."""
    error: str | None = None


@dataclass
class Chunk:
    """Consecutive records of an input."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    table: Any = None
    """In place of rows: a ``pyarrow.RecordBatch``, whose types are kept."""
    errors: dict[int, str] = field(default_factory=dict)
    """What was wrong with records that could not be read, by their place."""
    done: float = 0.0
    """Share of the input that has been read with it, 0 to 1."""

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.rows) if self.table is None else int(self.table.num_rows)


def find_inputs(paths: Iterable[str], leave_out: str = "") -> list[Input]:
    """Return the files that paths, globs and folders name, in order, each once.

    Args:
        paths: what a person named.
        leave_out: the output's folder, which may lie in an input's folder or be it: what a run wrote there is
            none of them, and nothing in it is where it lies in a folder that was named.

    Raises:
        RunError: a path names nothing, or a file of an unknown kind, or one that the output would replace.
    """
    fsspec = require("annotate", "fsspec")
    found: dict[str, Input] = {}
    left: list[str] = []
    try:
        output = LeaveOut(leave_out)
    except (ImportError, ValueError, OSError) as error:
        raise RunError(f"{leave_out}: {error}") from error
    for path in paths:
        try:
            files, _, names = fsspec.get_fs_token_paths(path)
        except (ImportError, ValueError, OSError) as error:
            raise RunError(f"{path}: {error}") from error
        below = False
        if len(names) == 1 and files.isdir(names[0]):
            (folder,) = names
            below = output.is_below(files, folder)
            names = sorted(name for name in files.find(folder) if _kind(name) and not _hidden(name))
            if not names and output.leaves(files, folder):  # an asterisk names it, too
                names = [folder]
        if not names or not all(files.exists(name) for name in names):
            raise RunError(f"{path}: no such file, and no folder with files to read")
        for name in names:
            if output.leaves(files, name, everything=below):
                left.append(name)
                continue
            kind = _kind(name)
            if kind is None:
                raise RunError(
                    f"{name}: unknown kind of file: .jsonl, .csv (also .gz, .zst, .xz, .bz2), .parquet and "
                    ".warc(.gz) are read"
                )
            url = files.unstrip_protocol(name)
            found[url] = Input(url, int(files.size(name) or 0), kind)
    if left and not found:
        raise RunError(f"{leave_out}: no inputs are named but what a run has written there: name others")
    return list(found.values())


def _hidden(name: str) -> bool:
    return name.rsplit("/", 1)[-1].startswith(("_", "."))


def _kind(name: str) -> str | None:
    parts = name.lower().rsplit("/", 1)[-1].split(".")
    packed = parts.pop() if parts[-1] in _COMPRESSIONS else None
    kind = _KINDS.get(parts[-1])
    fits = packed is None or kind in ("jsonl", "csv") or (kind, packed) == ("warc", "gz")
    return kind if fits else None


def read_chunks(source: Input, size: int) -> Iterator[Chunk]:
    """Yield the records of an input, ``size`` at a time, or fewer where they are large.

    Raises:
        InputError: the file cannot be read (any further); what stands before that has been yielded,
            of a packed file except for its last mebibyte.
    """
    readers: dict[str, Callable[[Input, int], Iterator[Chunk]]] = {
        "jsonl": _jsonl,
        "csv": _csv,
        "parquet": _parquet,
        "warc": _warc,
    }
    try:
        yield from readers[source.kind](source, size)
    except (InputError, MissingExtraError):
        raise
    except Exception as error:  # each compression and format has errors of its own
        raise InputError(f"{source.path}: cannot be read: {error}") from error


def _open(source: Input) -> tuple[IO[bytes], IO[bytes]]:
    """Return the unpacked stream, and the raw one below it, whose place tells how far we are."""
    fsspec = require("annotate", "fsspec")
    raw = fsspec.open(source.path, "rb").open()
    packed = _COMPRESSIONS.get(source.path.rsplit(".", 1)[-1].lower())
    if packed is None or source.kind == "warc":  # fastwarc unpacks by itself, record by record
        return raw, raw
    return fsspec.compression.compr[packed](raw, mode="rb"), raw


def _chunked(source: Input, raw: IO[bytes], records: Iterable[_Record], size: int) -> Iterator[Chunk]:
    chunk, held = Chunk(), 0
    try:
        for record in records:
            if record.error is not None:
                chunk.errors[len(chunk.rows)] = record.error
            chunk.rows.append(record.row)
            held += record.size
            if len(chunk.rows) == size or held >= MAX_PART_BYTES:
                chunk.done = min(1.0, raw.tell() / max(1, source.size))
                yield chunk
                chunk, held = Chunk(), 0
    except Exception:
        if chunk.rows:  # read before the damage
            yield chunk
        raise
    if chunk.rows:
        chunk.done = 1.0
        yield chunk


def _bad(where: str, cause: str, raw: str) -> _Record:
    shown = raw[:_SHOWN].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return _Record({RAW: shown}, len(shown), f"{where}: {cause}")


def _jsonl(source: Input, size: int) -> Iterator[Chunk]:
    stream, raw = _open(source)
    with raw, stream:
        lines = io.BufferedReader(cast(Any, stream), 1 << 20)  # any stream of bytes will do
        yield from _chunked(source, raw, _json_records(source.path, lines), size)


def _json_records(path: str, lines: io.BufferedReader) -> Iterator[_Record]:
    number = 0
    while line := lines.readline(MAX_RECORD_BYTES + 1):
        number += 1
        where = f"{path}:{number}"
        if len(line) > MAX_RECORD_BYTES:
            yield _bad(
                where, f"longer than {MAX_RECORD_BYTES:,} bytes", line[:_SHOWN].decode("utf-8", "replace")
            )
            while not line.endswith(b"\n") and (line := lines.readline(1 << 20)):
                pass
            continue
        if not line.strip():
            continue
        text = line.decode("utf-8", "replace")
        try:
            value = json.loads(line.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            yield _bad(where, f"not UTF-8 (byte {error.start} of the line)", text)
        except (ValueError, RecursionError) as error:
            yield _bad(where, f"not JSON: {error}", text)
        else:
            good = isinstance(value, dict)
            yield _Record(value, len(line)) if good else _bad(where, "not an object", text)


def _csv(source: Input, size: int) -> Iterator[Chunk]:
    stream, raw = _open(source)
    csv.field_size_limit(MAX_HTML_CHARS)
    with raw, stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
        yield from _chunked(source, raw, _csv_records(source.path, text), size)


def _csv_records(path: str, text: IO[str]) -> Iterator[_Record]:
    rows = csv.reader(text)
    try:
        header = next(rows, [])
    except csv.Error as error:
        raise InputError(f"{path}: not a CSV file: {error}") from error
    if cause := _not_utf8(header):
        raise InputError(f"{path}: the header is {cause}")
    if header.count("") > 1:  # spreadsheets write such, mostly empty
        header = [name or f"column_{place}" for place, name in enumerate(header, 1)]
    _check_names(path, header)
    number = 1
    while True:
        number += 1
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:  # where the next row begins is then unknown
            raise InputError(f"{path}: row {number}: {error}") from error
        cause = _not_utf8(cells)
        if cause is None and len(cells) == len(header):
            yield _Record(dict(zip(header, cells, strict=True)), sum(map(len, cells)))
        elif cells:
            cause = cause or f"{len(cells)} cells, the header has {len(header)}"
            yield _bad(f"{path}: row {number}", cause, json.dumps(cells, ensure_ascii=False))


def _not_utf8(cells: list[str]) -> str | None:
    """Return what is wrong with cells that were read with "surrogateescape", None if they are UTF-8."""
    text = "".join(cells)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        byte = ord(text[error.start]) - 0xDC00
        return f"not UTF-8 (byte 0x{byte:02x}): convert the file to UTF-8"
    return None


def _check_names(path: str, names: list[str]) -> None:
    """Check that a table's columns can be told apart.

    Raises:
        InputError: two have the same name.
    """
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(f"{path}: the column {twice[0]!r} stands twice in the file: rename one")


def _parquet(source: Input, size: int) -> Iterator[Chunk]:
    parquet = require("annotate", "pyarrow.parquet")
    arrow = require("annotate", "pyarrow")
    fsspec = require("annotate", "fsspec")
    with fsspec.open(source.path, "rb") as stream:
        try:
            file = parquet.ParquetFile(stream)
            _check_names(source.path, file.schema_arrow.names)
            total, seen = max(1, file.metadata.num_rows), 0
            for batch in file.iter_batches(batch_size=size):
                rows = max(1, batch.num_rows * MAX_PART_BYTES // max(1, batch.nbytes))
                for start in range(0, batch.num_rows, rows):
                    piece = batch.slice(start, rows)
                    seen += piece.num_rows
                    yield Chunk(table=piece, done=seen / total)
        except arrow.ArrowInvalid as error:
            raise InputError(f"{source.path}: not a readable Parquet file: {error}") from error


def _warc(source: Input, size: int) -> Iterator[Chunk]:
    stream, raw = _open(source)
    with raw:
        yield from _chunked(source, raw, _warc_records(source.path, stream), size)


def _warc_records(path: str, stream: IO[bytes]) -> Iterator[_Record]:
    """Yield the HTML pages of a WARC file; requests, robots and other kinds are no documents."""
    warc = require("annotate", "fastwarc.warc")
    start, length, damaged = 0, "0", False
    for record in warc.ArchiveIterator(stream, record_types=warc.WarcRecordType.any_type):
        start, length = record.stream_pos, record.headers.get("Content-Length", "")
        damaged = "Content-Length" not in record.headers
        if record.record_type != warc.WarcRecordType.response and not damaged:
            continue
        kind = (record.http_content_type or "").lower() if record.http_headers else ""
        html = kind in ("text/html", "application/xhtml+xml")
        most = MAX_HTML_CHARS + 1 if html else 1
        expected, page = min(record.content_length, most), record.reader.read(most)
        url = record.headers.get("WARC-Target-URI", "")
        # fastwarc does not tell that the file ended inside a record. In its head the kind may be unknown.
        damaged = damaged or len(page) < expected
        if damaged:
            where = f"{path}: {url or record.record_id or f'byte {start:,}'}"
            yield _bad(where, "the record is cut off", page.decode("utf-8", "replace"))
            continue
        if not html:
            continue
        date = record.headers.get("WARC-Date", "")
        if "chunked" in (record.http_headers.get("Transfer-Encoding") or "").lower():
            page = dechunked(page)
        yield _Record({"url": url, "date": date, "record_id": record.record_id, HTML: page}, len(page))

    last = int(length) if length.isdecimal() else 0
    if not damaged and not ends_whole(stream, start, last):
        yield _bad(path, f"the file is cut off: nothing can be read behind byte {start:,}", "")
