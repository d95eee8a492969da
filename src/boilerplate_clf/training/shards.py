"""Tokenised text as memory-mapped ``uint16`` arrays, small enough to be carried anywhere.

Layout of a shard folder::

    index.json               tokenizer digest, sources with weight, files, tokens
    <source>-000.npy ...     uint16 token ids, documents one after another
    held-out.npy             documents that pre-training never sees

A document is ``[PAR] paragraph [PAR] paragraph ... [SEP]``: the encoder meets the paragraph marker
of the classifier from its first step.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer
from tqdm import tqdm

from boilerplate_clf.errors import TrainingError
from boilerplate_clf.files import atomic_write, sha256_file, write_json
from boilerplate_clf.training.corpus import Source, iter_documents
from boilerplate_clf.training.tokenizer import PAR, SEP, load_tokenizer, token_id

MAX_SHARD_BYTES = 60 * 2**20
"""Shards stay below 60 MiB so that one fits into one transfer to a rented machine."""

_BATCH = 256
INDEX = "index.json"
HELD_OUT = "held-out.npy"

Ids = npt.NDArray[np.uint16]


def build_shards(
    sources: Sequence[Source], tokenizer_path: Path, output: Path, *, hold_out_every: int = 200
) -> dict[str, Any]:
    """Tokenise ``sources`` into ``output``; every ``hold_out_every``-th document is held out.

    Returns:
        The contents of ``index.json``.

    Raises:
        TrainingError: the vocabulary does not fit 16 bits.
        DataError: a source cannot be read.
    """
    tokenizer = load_tokenizer(tokenizer_path)
    if tokenizer.get_vocab_size() > 2**16:
        raise TrainingError("the vocabulary has more than 65,536 pieces: shards hold 16-bit ids")
    output.mkdir(parents=True, exist_ok=True)
    held_out: list[Ids] = []
    index: dict[str, Any] = {
        "tokenizer_sha256": sha256_file(tokenizer_path),
        "vocab_size": tokenizer.get_vocab_size(),
        "sources": {},
    }
    for source in tqdm(sources, desc="shards", unit="file"):
        writer = _ShardWriter(output, source.name)
        documents = iter_documents(source.path)
        number = 0
        while batch := list(islice(documents, _BATCH)):
            for ids in _encode(tokenizer, batch):
                if number % hold_out_every == hold_out_every - 1:
                    held_out.append(ids)
                else:
                    writer.add(ids)
                number += 1
        writer.flush()
        index["sources"][source.name] = {
            "sha256": sha256_file(source.path),
            "weight": source.weight,
            "documents": number,
            "tokens": writer.tokens,
            "files": writer.files,
        }
    _save(output / HELD_OUT, held_out)
    write_json(output / INDEX, index)
    return index


def _encode(tokenizer: Tokenizer, documents: list[list[str]]) -> list[Ids]:
    marker, end = token_id(tokenizer, PAR), token_id(tokenizer, SEP)
    flat = tokenizer.encode_batch_fast(
        [text for document in documents for text in document], add_special_tokens=False
    )
    encodings = iter(flat)
    rows = []
    for document in documents:
        ids: list[int] = []
        for _ in document:
            ids.append(marker)
            ids.extend(next(encodings).ids)
        ids.append(end)
        rows.append(np.asarray(ids, np.uint16))
    return rows


def _save(path: Path, rows: list[Ids]) -> int:
    data = np.concatenate(rows) if rows else np.empty(0, np.uint16)
    with atomic_write(path) as stream:
        np.save(stream, data, allow_pickle=False)
    return len(data)


class _ShardWriter:
    """Collects documents and starts a new file before one would pass ``MAX_SHARD_BYTES``."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.files: list[str] = []
        self.tokens = 0
        self._rows: list[Ids] = []
        self._bytes = 0

    def add(self, ids: Ids) -> None:
        if self._rows and self._bytes + ids.nbytes > MAX_SHARD_BYTES:
            self.flush()
        self._rows.append(ids)
        self._bytes += ids.nbytes

    def flush(self) -> None:
        if not self._rows:
            return
        name = f"{self.name}-{len(self.files):03d}.npy"
        self.tokens += _save(self.folder / name, self._rows)
        self.files.append(name)
        self._rows, self._bytes = [], 0


class ShardSampler:
    """Draws random windows of tokens from all sources by weight.

    Args:
        folder: what :func:`build_shards` wrote.
        seed: of the draw; the state is part of a checkpoint, so that a resumed run goes on as the
            undisturbed one would.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        """Map all shards into memory (nothing is read yet)."""
        try:
            self.index: dict[str, Any] = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        except OSError as error:
            raise TrainingError(f"{folder}: no shards here: run the stage 'shards' first") from error
        self._arrays: list[Ids] = []
        weights: list[float] = []
        for source in self.index["sources"].values():
            for name in source["files"]:
                array = np.load(folder / name, mmap_mode="r", allow_pickle=False)
                self._arrays.append(array)
                weights.append(len(array) * source["weight"])
        if not weights:
            raise TrainingError(f"{folder}: the shards are empty")
        self.held_out: Ids = np.load(folder / HELD_OUT, allow_pickle=False)
        self._probabilities = np.asarray(weights) / sum(weights)
        self.rng = np.random.default_rng(seed)

    def draw(self, rows: int, length: int) -> npt.NDArray[np.int64]:
        """Return ``(rows, length)`` token ids, each row a random window of a random shard."""
        picks = self.rng.choice(len(self._arrays), size=rows, p=self._probabilities)
        batch = np.zeros((rows, length), np.int64)
        for row, pick in zip(batch, picks, strict=True):
            array = self._arrays[pick]
            start = int(self.rng.integers(max(1, len(array) - length)))
            window = array[start : start + length]
            row[: len(window)] = window
        return batch
