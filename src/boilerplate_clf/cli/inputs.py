"""Reading documents from files, folders and standard input, one at a time."""

from __future__ import annotations

import codecs
import io
import json
import os
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from boilerplate_clf.errors import InputError, InputTooLargeError, MissingExtraError, RecordError
from boilerplate_clf.html.extract import Metadata, extract
from boilerplate_clf.limits import MAX_HTML_CHARS, MAX_RECORD_BYTES

STDIN = "-"
CONTENT_KEYS = ("text", "paragraphs", "html")
"""Keys of a JSONL record, of which it needs one; its other keys come back under "meta"."""
HTML_SUFFIXES = (".html", ".htm")
_JSONL = {".txt": False, ".jsonl": True, ".ndjson": True}
"""What a name says; of any other, the first line is looked at."""
SUFFIXES = (*_JSONL, *HTML_SUFFIXES)


@dataclass(frozen=True)
class Record:
    """One document of the input."""

    source: str
    """File name, with ``:line`` for a record of a JSONL file; "-" is standard input."""
    document: str | Sequence[str]
    meta: dict[str, Any] = field(default_factory=dict)
    metadata: Metadata | None = None
    """What an HTML page says about its article."""

    @property
    def chars(self) -> int:
        """Characters of the document."""
        return len(self.document) if isinstance(self.document, str) else sum(map(len, self.document))


def read_records(
    paths: Sequence[str], recursive: bool, leave_out: Collection[Path] = ()
) -> Iterator[Record | InputError]:
    """Yield every document of the inputs, and an error in place of each that cannot be read.

    Args:
        paths: files, folders (their files with one of :data:`SUFFIXES`) and "-" for standard input.
        recursive: whether folders are searched through all levels.
        leave_out: files that are passed over in folders: what this run writes.
    """
    skip = {os.path.realpath(path) for path in leave_out}
    for name in paths:
        if name == STDIN:
            yield from _read_stream(sys.stdin.buffer, STDIN, None)
            continue
        path, files = Path(name), [Path(name)]
        try:
            folder = path.is_dir()
        except OSError as error:  # too long a name, a folder on the way that may not be entered
            yield InputError(f"{path}: {error.strerror}")
            continue
        if folder:
            files, errors = _files_of(path, recursive, skip)
            yield from errors
            if not files and not errors:
                names = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
                yield InputError(f"{path}: no {names} files in this folder")
        for file in files:
            try:
                with file.open("rb") as stream:
                    if file.suffix.lower() in HTML_SUFFIXES:
                        yield _read_html(stream, str(file))
                    else:
                        yield from _read_stream(stream, str(file), _JSONL.get(file.suffix.lower()))
            except OSError as error:
                yield InputError(f"{file}: {error.strerror or error}")


def _files_of(folder: Path, recursive: bool, skip: Collection[str]) -> tuple[list[Path], list[InputError]]:
    """Return a folder's files, sorted, and the folders that cannot be read."""
    found: list[Path] = []
    unread: list[OSError] = []
    for place, folders, names in os.walk(folder, onerror=unread.append):
        if not recursive:
            folders.clear()
        found += [Path(place, name) for name in names if Path(name).suffix.lower() in SUFFIXES]
    files = sorted(file for file in found if file.is_file() and os.path.realpath(file) not in skip)
    return files, [InputError(f"{error.filename}: {error.strerror}") for error in unread]


def _read_stream(stream: BinaryIO, source: str, jsonl: bool | None) -> Iterator[Record | InputError]:
    """Read one file; ``jsonl=None`` looks at the first line: a JSON object makes it JSONL."""
    line = stream.readline(MAX_RECORD_BYTES + 1)
    head, size = [line], len(line)
    while jsonl is None and line and not line.strip() and size <= MAX_RECORD_BYTES:
        line = stream.readline(MAX_RECORD_BYTES + 1)
        head.append(line)
        size += len(line)
    first = b"".join(head)
    if jsonl or (jsonl is None and _looks_like_jsonl(line)):
        yield from _read_jsonl(first, stream, source)
        return
    data = first + stream.read(MAX_RECORD_BYTES + 1 - len(first)) if len(first) <= MAX_RECORD_BYTES else first
    if len(data) > MAX_RECORD_BYTES:
        yield InputTooLargeError(f"{source}: larger than {MAX_RECORD_BYTES:,} bytes")
        return
    try:
        yield Record(source, data.removeprefix(codecs.BOM_UTF8).decode("utf-8"))
    except UnicodeDecodeError as error:
        yield InputError(f"{source}: not UTF-8 (byte {error.start}): convert it, for example with iconv")


def _read_html(stream: BinaryIO, source: str) -> Record | InputError:
    try:
        paragraphs, metadata = extract(stream.read(MAX_HTML_CHARS + 1))
    except (InputError, MissingExtraError) as error:
        return InputError(f"{source}: {error}")
    return Record(source, paragraphs, metadata=metadata)


def _looks_like_jsonl(line: bytes) -> bool:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and any(key in value for key in CONTENT_KEYS)


def _read_jsonl(first: bytes, stream: BinaryIO, source: str) -> Iterator[Record | InputError]:
    for number, line in enumerate(_lines(first, stream), 1):
        where = f"{source}:{number}"
        if len(line) > MAX_RECORD_BYTES:
            yield InputTooLargeError(f"{where}: longer than {MAX_RECORD_BYTES:,} bytes")
        elif line.strip():
            try:
                yield parse_record(line, where)
            except RecordError as error:
                yield error


def _lines(first: bytes, stream: BinaryIO) -> Iterator[bytes]:
    yield from io.BytesIO(first)  # blank lines may stand before it
    while line := stream.readline(MAX_RECORD_BYTES + 1):
        yield line
        if len(line) > MAX_RECORD_BYTES:  # throw the rest of an oversized line away
            while not line.endswith(b"\n") and (line := stream.readline(1 << 20)):
                pass


def parse_record(line: bytes, where: str) -> Record:
    """Parse one line of a JSONL file.

    Raises:
        RecordError: not UTF-8, not a JSON object, or without a usable "text" or "paragraphs".
    """
    try:
        value = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise RecordError(f"{where}: not UTF-8 (byte {error.start} of the line)") from error
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{where}: not JSON: {error}") from error
    if not isinstance(value, dict):
        raise RecordError(f"{where}: a {type(value).__name__}, not an object with 'text' or 'paragraphs'")
    meta = {key: item for key, item in value.items() if key not in CONTENT_KEYS}
    if "paragraphs" in value:
        return Record(where, _paragraphs(value["paragraphs"], where), meta)
    if isinstance(value.get("text"), str):
        return Record(where, value["text"], meta)
    if isinstance(value.get("html"), str):
        url = value.get("url")
        try:
            paragraphs, metadata = extract(value["html"], url if isinstance(url, str) else None)
        except (InputError, MissingExtraError) as error:
            raise RecordError(f"{where}: {error}") from error
        return Record(where, paragraphs, meta, metadata)
    raise RecordError(f"{where}: needs 'text' or 'html' (a string) or 'paragraphs' (a list of strings)")


def _paragraphs(items: Any, where: str) -> list[str]:
    if isinstance(items, list):
        values = [item.get("text") if isinstance(item, dict) else item for item in items]
        texts = [value for value in values if isinstance(value, str)]
        if len(texts) == len(values):
            return texts
    raise RecordError(f"{where}: 'paragraphs' must be a list of strings (or of objects with 'text')")


def chunks(
    records: Iterable[Record | InputError], documents: int, chars: int
) -> Iterator[list[Record | InputError]]:
    """Group records: no more than ``documents`` of them, and no more once they hold ``chars`` characters."""
    chunk: list[Record | InputError] = []
    held = 0
    for record in records:
        chunk.append(record)
        held += record.chars if isinstance(record, Record) else 0
        if len(chunk) == documents or held >= chars:
            yield chunk
            chunk, held = [], 0
    if chunk:
        yield chunk
