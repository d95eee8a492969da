"""Skip-gram vectors of the word pieces: the start of the encoder's embeddings.

Minutes of skip-gram (Mikolov et al. 2013) replace the first millions of masked-LM tokens, which a
small machine would otherwise spend on learning which pieces resemble each other.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from boilerplate_clf.extras import require
from boilerplate_clf.files import atomic_write
from boilerplate_clf.training.shards import ShardSampler

_LINE = 256


def train_embeddings(
    shards: Path,
    output: Path,
    *,
    size: int,
    tokens: int,
    epochs: int = 1,
    workers: int = 2,
    seed: int = 0,
) -> None:
    """Train vectors on ``tokens`` tokens drawn from ``shards``; write them to ``output`` (.npy).

    The file holds ``(vocab_size, size)`` float32, scaled to a standard deviation of 0.05. Pieces
    that do not occur get small random vectors.
    """
    word2vec = require("train", "gensim.models.word2vec")
    sampler = ShardSampler(shards, seed)
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "tokens.txt"
        with text.open("w", encoding="ascii") as stream:
            for _ in range(max(1, tokens // (_LINE * 64))):
                for row in sampler.draw(64, _LINE):
                    stream.write(" ".join(map(str, row.tolist())) + "\n")
        model = word2vec.Word2Vec(
            corpus_file=str(text),
            vector_size=size,
            window=5,
            sg=1,
            negative=5,
            sample=1e-4,
            min_count=5,
            epochs=epochs,
            workers=workers,
            seed=seed,
        )
    rng = np.random.default_rng(seed)
    matrix = rng.normal(0, 0.02, (sampler.index["vocab_size"], size)).astype(np.float32)
    vectors = model.wv.vectors - model.wv.vectors.mean(axis=0)
    vectors *= 0.05 / vectors.std()
    matrix[[int(key) for key in model.wv.index_to_key]] = vectors
    with atomic_write(output) as stream:
        np.save(stream, matrix, allow_pickle=False)
