"""Digests, JSON and atomic writes: one way to do each."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO


def sha256_bytes(data: bytes) -> str:
    """Return the hexadecimal SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file, read in blocks of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` that replaces it only if the block succeeds.

    A reader never sees half a file; on any error, Ctrl-C included, ``path`` is as it was. A link stays one,
    its target is replaced; permissions stay. A device or a pipe is written to as it is.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as stream:
            yield stream
        return
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
        Path(name).chmod(_permissions(path))
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _permissions(path: Path) -> int:
    """Return those of the file, or what a new one gets: ``mkstemp`` makes it private."""
    if path.exists():
        return stat.S_IMODE(path.stat().st_mode)
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


def to_json(value: Any, *, indent: int | None = None, default: Callable[[Any], Any] | None = None) -> str:
    """Return ``value`` as JSON that any reader takes.

    Python reads and writes NaN and infinities, which JSON does not have; tables hold them where a value
    is missing. They become null.
    """
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=default)
    if "NaN" in text or "Infinity" in text:
        strict = json.loads(text, parse_constant=lambda _: None)
        text = json.dumps(strict, ensure_ascii=False, indent=indent)
    return text


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented UTF-8 JSON, atomically, with a line end at the end of the file.

    It is read back as it was: for Python, with the infinities of options.
    """
    with atomic_write(path) as stream:
        stream.write((json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode())


def replace_folder(source: Path, target: Path) -> None:
    """Copy the folder ``source`` to ``target``, in place of an older one."""
    fresh = target.with_name(f".{target.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, fresh)
    shutil.rmtree(target, ignore_errors=True)
    fresh.replace(target)
