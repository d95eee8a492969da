"""What fastwarc leaves to its users: whether a WARC file is whole, and HTTP's chunks."""

from __future__ import annotations

import zlib
from typing import IO

_GZIP = b"\x1f\x8b"
_HEAD = 1 << 16
"""Bytes of a record's head; fastwarc refuses longer ones."""
_PADDING = b"\0\r\n\t "


def ends_whole(stream: IO[bytes], start: int, length: int) -> bool:
    """Tell whether a WARC file ends where a record ends; fastwarc passes over the start of one more.

    The last record is read a second time; all records, where they are packed as one member of gzip.

    Args:
        stream: the file, packed or not. One that cannot go back (over HTTP, say) is taken for whole.
        start: place of the last record that was read, in bytes.
        length: of that record's block, unpacked.
    """
    try:
        size = stream.seek(0, 2)
        stream.seek(0)
        packed = stream.read(2) == _GZIP
        stream.seek(start)
        if packed:
            # Each record is a member of its own, as the standard asks for; or there is but one, from 0 on.
            stream.seek(start if stream.read(2) == _GZIP else 0)
            return _members_are_whole(stream)
        head = stream.read(_HEAD).find(b"\r\n\r\n")
        end = start + head + 4 + length
        if head < 0 or end > size:
            return size == 0
        stream.seek(end)
        return not stream.read(_HEAD).strip(_PADDING)
    except (OSError, ValueError):
        return True


def _members_are_whole(stream: IO[bytes]) -> bool:
    member = zlib.decompressobj(wbits=31)
    try:
        while data := stream.read(1 << 14):
            while data:
                if member.eof:
                    data = data.lstrip(_PADDING)
                    if not data:
                        break
                    member = zlib.decompressobj(wbits=31)
                member.decompress(data)
                data = member.unused_data
    except zlib.error:
        return False
    return member.eof


def dechunked(body: bytes) -> bytes:
    """Undo HTTP's chunked transfer encoding (RFC 9112, 7.1), which fastwarc leaves in; as far as it goes."""
    parts: list[bytes] = []
    place = 0
    while (end := body.find(b"\r\n", place)) >= 0:
        try:
            size = int(body[place:end].split(b";")[0], 16)
        except ValueError:
            break
        if size <= 0:
            return b"".join(parts)
        parts.append(body[end + 2 : end + 2 + size])
        place = end + 2 + size + 2
    return b"".join(parts) or body  # some archives say so of bodies that are not
