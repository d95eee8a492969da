"""The wide half of the model: a linear model over hashed word and character n-grams.

On little data it is about as good as the encoder and errs elsewhere (wide and deep learning, Cheng
et al. 2016). Features as of TF-IDF with sub-linear term frequency: words and word pairs, character
2- to 5-grams inside words, and the words of the paragraph before and of the one after. An n-gram is
known by 32 bits of its hash; one that training did not see is left out, where plain feature hashing
would give it another one's weight. Numpy only, a whole document at a time.
"""

from __future__ import annotations

import functools
import io
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from boilerplate_clf.errors import BundleFormatError
from boilerplate_clf.inference.cache import ParagraphCache
from boilerplate_clf.limits import MAX_BUNDLE_FILE_BYTES

Hashes = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_WORD = re.compile(r"\w\w+")
_ORDERS = (2, 3, 4, 5)
_CHUNK = 128
"""Paragraphs at a time: bounds the memory that a long document takes."""

WORDS, CHARS, BEFORE, AFTER = range(4)
_VIEW_WEIGHTS = np.asarray([1.0, 1.0, 0.5, 0.5])
_OWN, _TO_NEXT, _TO_PREVIOUS = range(3)
_SLOTS = np.asarray([_OWN, _OWN, _TO_NEXT, _TO_PREVIOUS])
"""Whose logits a view adds to."""

# A polynomial hash modulo 2**64 with an odd base: the base then has an inverse, so that the hash of
# any span is a difference of prefix sums and all spans of a text take a few array operations.
_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 2**64)
_SEED, _MIX = 0xD6E8FEB86659FD93, np.uint64(0xFF51AFD7ED558CCD)
_BLANK = 32
_KEPT_POWERS = 1 << 16


@dataclass(frozen=True)
class Features:
    """The n-grams of paragraphs: arrays of one length, an item per different n-gram of a paragraph and view.

    In the views ``BEFORE`` and ``AFTER`` stands what a paragraph tells about the next one and about the
    previous one.
    """

    paragraph: Ints
    view: Ints
    key: Ints
    """Hash of the n-gram and its view, 32 bits; or its place among the known ones."""
    count: Ints

    def only(self, wanted: npt.NDArray[np.bool_]) -> Features:
        """Return some of them."""
        return Features(self.paragraph[wanted], self.view[wanted], self.key[wanted], self.count[wanted])


def features(texts: Sequence[str], known: Lookup | None = None) -> Features:
    """Return the n-grams of paragraphs, each by itself.

    Args:
        texts: the paragraphs.
        known: leave out those that it does not have, and give the places of the others.
    """
    chars, owner = _char_ngrams(texts)
    words, pairs, word_owner, pair_owner = _word_ngrams(texts)
    parts = (
        (CHARS, owner, chars),
        (WORDS, word_owner, words),
        (WORDS, pair_owner, pairs),
        (BEFORE, word_owner, words),
        (AFTER, word_owner, words),
    )
    bits = 32 if known is None else len(known.keys).bit_length()
    kind = np.uint32 if bits + (4 * len(texts)).bit_length() <= 32 else np.uint64  # short ones sort faster
    joined = []
    for view, rows, hashes in parts:
        keys = _key(view, hashes)
        if known is not None:
            keys = known.find(keys)
            rows, keys = rows[keys >= 0], keys[keys >= 0]
        joined.append(((rows * 4 + view) << bits | keys).astype(kind))
    combined = np.sort(np.concatenate(joined))
    first = np.ones(len(combined), bool)
    np.not_equal(combined[1:], combined[:-1], out=first[1:])
    start = np.flatnonzero(first)
    counts = np.diff(start, append=len(combined))
    combined = combined[start].astype(np.int64)
    group = combined >> bits
    return Features(group >> 2, group & 3, combined & ((1 << bits) - 1), counts)


class Lookup:
    """Finds n-grams among the known ones, by buckets of their first bits.

    Args:
        keys: ``(n-grams,)`` uint32, ascending.
    """

    def __init__(self, keys: npt.NDArray[np.uint32]) -> None:
        """Make some four buckets for each key."""
        self.keys = keys
        self._shift = max(0, 30 - len(keys).bit_length())
        bounds = np.arange((1 << (32 - self._shift)) + 1, dtype=np.uint64) << np.uint64(self._shift)
        start = np.searchsorted(keys, bounds)
        self._start = start[:-1].astype(np.int32)
        self._steps = max(0, int(np.diff(start).max(initial=0)) - 1)

    def find(self, keys: Ints) -> Ints:
        """Return the place of each key; -1: not known."""
        if not len(self.keys):
            return np.full(len(keys), -1, np.int64)
        place = self._start.take(keys >> self._shift)
        for _ in range(self._steps):  # as far as the first one in the bucket that is not smaller
            place += self.keys.take(place, mode="clip") < keys
        found: Ints = np.where(self.keys.take(place, mode="clip") == keys, place, -1).astype(np.int64)
        return found


def weigh(found: Features, idf: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return the value of each feature: sub-linear TF-IDF, of unit length per paragraph and view.

    Args:
        found: the known features.
        idf: of each of them, its inverse document frequency.
    """
    values = (1.0 + np.log(found.count)) * idf.astype(np.float64)
    group = found.paragraph * 4 + found.view
    norm = np.sqrt(np.bincount(group, values * values))
    weighed: npt.NDArray[np.float64] = values / norm[group] * _VIEW_WEIGHTS[found.view]
    return weighed


class NgramScorer:
    """Log probabilities from the linear model.

    Args:
        keys: ``(n-grams,)`` uint32, ascending.
        table: ``(n-grams, labels + 1)``: the weights of each label, and the idf in the last column.
        bias: ``(labels,)``.
        cache: paragraphs whose shares are kept, because the same ones stand on every page of a site.

    Raises:
        ValueError: the shapes do not fit each other, or the keys are not in order.
    """

    def __init__(
        self,
        keys: npt.NDArray[np.uint32],
        table: npt.NDArray[np.floating],
        bias: npt.NDArray[np.floating],
        cache: int = 0,
    ) -> None:
        """Hold the table (float16 in a bundle)."""
        if keys.ndim != 1 or table.shape != (len(keys), len(bias) + 1):
            raise ValueError(f"{keys.shape} n-grams, a table of shape {table.shape}, {len(bias)} labels")
        if not (keys[1:] > keys[:-1]).all():
            raise ValueError("the n-grams are not in order")
        self._lookup = Lookup(keys)
        self._cache = ParagraphCache(cache) if cache else None
        # float32 takes twice the memory and spares a conversion for every n-gram of every text.
        self._table, self._bias = table.astype(np.float32), bias.astype(np.float64)

    def to_bytes(self) -> bytes:
        """Return the contents of ``ngrams.npz``.

        The sorted keys are kept as differences, numbers of one label side by side, and all of them byte by
        byte: that takes a third off the compressed size.
        """
        stream = io.BytesIO()
        np.savez_compressed(
            stream,
            key_steps=_to_planes(np.diff(self._lookup.keys, prepend=np.uint32(0)).astype("<u4")),
            table=_to_planes(self._table.astype("<f2").T),
            bias=self._bias.astype(np.float32),
        )
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, labels: int, cache: int = 0) -> NgramScorer:
        """Read what :meth:`to_bytes` wrote.

        Raises:
            BundleFormatError: not such a file, unpacked too large, or for another number of labels.
        """
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                if sum(item.file_size for item in archive.infolist()) > MAX_BUNDLE_FILE_BYTES:
                    raise BundleFormatError(f"ngrams.npz unpacks to over {MAX_BUNDLE_FILE_BYTES:,} bytes")
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                keys = np.cumsum(_from_planes(arrays["key_steps"], "<u4"), dtype=np.uint32)
                table = np.ascontiguousarray(_from_planes(arrays["table"], "<f2").T)
                bias = arrays["bias"]
            if bias.dtype != np.float32 or bias.shape != (labels,):
                raise ValueError(f"it is not for {labels} labels")
            if not (np.isfinite(table).all() and np.isfinite(bias).all()):
                raise ValueError("it holds what is no number")
            return cls(keys, table, bias, cache)
        except BundleFormatError:
            raise
        except Exception as error:  # numpy and zipfile raise a dozen unrelated types, MemoryError among them
            raise BundleFormatError(f"ngrams.npz cannot be read: {error}") from error

    def log_probabilities(self, texts: Sequence[str]) -> Floats:
        """Return ``(paragraphs, labels)`` for the consecutive paragraphs of one document."""
        if not texts:
            return np.zeros((0, len(self._bias)), np.float32)
        shares = self._cache.through(texts, self._shares) if self._cache else self._shares(texts)
        logits = shares[:, _OWN] + self._bias
        logits[1:] += shares[:-1, _TO_NEXT]
        logits[:-1] += shares[1:, _TO_PREVIOUS]
        logits -= logits.max(axis=1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return logits.astype(np.float32)

    def _shares(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Return what each paragraph adds to its own and its neighbours' logits, (paragraphs, 3, labels)."""
        parts = [self._shares_of_few(texts[i : i + _CHUNK]) for i in range(0, len(texts), _CHUNK)]
        return np.concatenate(parts)

    def _shares_of_few(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        found = features(texts, self._lookup)
        picked = self._table.take(found.key, axis=0)  # three times as fast as self._table[found.key]
        values = weigh(found, picked[:, -1])
        slot = found.paragraph * 3 + _SLOTS[found.view]
        shares = [
            np.bincount(slot, values * picked[:, label], 3 * len(texts)) for label in range(len(self._bias))
        ]
        stacked: npt.NDArray[np.float64] = np.stack(shares, axis=1)
        return stacked.reshape(len(texts), 3, -1)


def _to_planes(values: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return all first bytes of an array's items, then all second ones, and so on: ``(bytes, *shape)``."""
    split = np.ascontiguousarray(values).view(np.uint8).reshape(*values.shape, values.itemsize)
    return np.ascontiguousarray(np.moveaxis(split, -1, 0))


def _from_planes(planes: npt.NDArray[Any], dtype: str) -> npt.NDArray[Any]:
    """Undo :func:`_to_planes`.

    Raises:
        ValueError: not bytes, or not as many as an item of ``dtype`` has.
    """
    size = np.dtype(dtype).itemsize
    if planes.dtype != np.uint8 or planes.ndim < 2 or len(planes) != size:
        raise ValueError("arrays of another type")
    return np.ascontiguousarray(np.moveaxis(planes, 0, -1)).view(dtype)[..., 0]


def _key(view: int, hashes: Hashes) -> Ints:
    """Mix the view into the hash and keep 32 bits (finalizer as of MurmurHash3)."""
    mixed = hashes + np.uint64((view + 1) * _SEED % 2**64)
    mixed ^= mixed >> np.uint64(33)
    mixed *= _MIX
    mixed ^= mixed >> np.uint64(33)
    key: Ints = (mixed >> np.uint64(32)).astype(np.int64)
    return key


def _char_ngrams(texts: Sequence[str]) -> tuple[Hashes, Ints]:
    """Hash the n-grams that lie inside a word or take in one blank beside it."""
    joined = [f" {' '.join(text.lower().split())}" for text in texts]
    codes = _codes("".join(joined) + " ")
    doubled = np.zeros(len(codes), bool)  # an empty paragraph puts two blanks side by side
    doubled[:-1] = (codes[:-1] == _BLANK) & (codes[1:] == _BLANK)
    owner = np.repeat(np.arange(len(texts)), [len(part) for part in joined])
    blanks = np.concatenate([[0], np.cumsum(codes == _BLANK)])
    prefix = _prefix(codes)
    hashes, owners = [], []
    for order in _ORDERS:
        start = np.arange(max(0, len(codes) - order + 1))
        start = start[blanks[start + order - 1] == blanks[start + 1]]  # no blank in between
        start = start[(start < len(owner)) & ~doubled[start]]
        hashes.append(_spans(prefix, start, start + order))
        # A first blank belongs to the word after it, which is of the same paragraph.
        owners.append(owner[start])
    return np.concatenate(hashes), np.concatenate(owners)


def _word_ngrams(texts: Sequence[str]) -> tuple[Hashes, Hashes, Ints, Ints]:
    """Hash words, and pairs of words of the same paragraph."""
    found = [_WORD.findall(text.lower()) for text in texts]
    words = [word for part in found for word in part]
    owner = np.repeat(np.arange(len(texts)), [len(part) for part in found])
    prefix = _prefix(_codes(" ".join(words)))
    lengths = np.fromiter(map(len, words), np.int64, len(words))
    stop = np.cumsum(lengths + 1) - 1
    start = stop - lengths
    same = owner[1:] == owner[:-1]
    pairs = _spans(prefix, start[:-1][same], stop[1:][same])
    return _spans(prefix, start, stop), pairs, owner, owner[1:][same]


def _codes(text: str) -> Hashes:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)


def _prefix(codes: Hashes) -> Hashes:
    """Return the prefix sums of ``code * base ** place``, starting with 0."""
    sums = np.zeros(len(codes) + 1, np.uint64)
    np.cumsum((codes + np.uint64(1)) * _powers(_BASE, len(codes)), out=sums[1:])
    return sums


def _spans(prefix: Hashes, start: Ints, stop: Ints) -> Hashes:
    """Hash the spans: the same text has the same hash wherever it stands."""
    result: Hashes = (prefix[stop] - prefix[start]) * _powers(_INVERSE, len(prefix))[start]
    return result


def _powers(base: int, count: int) -> Hashes:
    """Return ``base ** 0 .. base ** (count - 1)``; the first ones are computed once."""
    if count <= _KEPT_POWERS:
        return _kept_powers(base)[:count]
    return _all_powers(base, count)


@functools.cache
def _kept_powers(base: int) -> Hashes:
    return _all_powers(base, _KEPT_POWERS)


def _all_powers(base: int, count: int) -> Hashes:
    powers = np.full(count, base, np.uint64)
    powers[0] = 1
    result: Hashes = np.cumprod(powers, dtype=np.uint64)
    return result
