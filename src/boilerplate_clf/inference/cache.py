"""What was computed for a paragraph, kept for the next time that it is met."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class ParagraphCache:
    """Keeps the results of the paragraphs used last, by a hash of their text.

    Menus, boxes and appeals stand on every page of a site. Only what depends on a paragraph alone may be
    kept: the result is then the same with and without a cache. Safe to share between threads.

    Args:
        size: paragraphs that are kept at most; some 300 bytes each.
    """

    def __init__(self, size: int) -> None:
        """Start empty."""
        self._size = size
        self._known: OrderedDict[bytes, Array] = OrderedDict()
        self._lock, self._process = threading.Lock(), os.getpid()

    def through(self, texts: Sequence[str], compute: Callable[[list[str]], Array]) -> Array:
        """Return ``compute(texts)``, computing only what is not known.

        Args:
            texts: paragraphs, at least one.
            compute: gives an array with a row per text.
        """
        keys = [blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts]
        found: dict[bytes, Array] = {}
        if os.getpid() != self._process:
            # At the fork a thread of the parent may have held the lock: here nobody would ever release it.
            self._lock, self._process = threading.Lock(), os.getpid()
        with self._lock:
            for key in keys:
                if key in self._known:
                    self._known.move_to_end(key)
                    found[key] = self._known[key]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if missing:
            new = dict(zip(missing, compute(list(missing.values())), strict=True))
            found |= new
            with self._lock:
                # A row is copied: as a view it would keep alive the whole array that it is a part of.
                self._known.update((key, row.copy()) for key, row in new.items())
                while len(self._known) > self._size:
                    self._known.popitem(last=False)
        return np.stack([found[key] for key in keys])
