"""What the parts of a bundle are worth: the same weights, with one thing changed at a time.

    python benchmarks/ablation.py [../shared/gold/dev.jsonl] [--model DIR]

Changed are the cascade, the pooling of repeats, the chain and the n-gram model (without it, alone), the
context (each paragraph by itself, shorter and longer windows) and the token budget of a paragraph. All rows
but the first let the encoder read every paragraph; those called "alone" do not pool repeats. Nothing is
trained anew, so a row says what the shipped weights lose, not what weights made for that setting would
reach. Mode: best guess.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from boilerplate_clf.bundle import Bundle, load_bundle, shipped_bundle
from boilerplate_clf.evaluation.metrics import VIEWS, describe, gold_of
from boilerplate_clf.files import sha256_file
from boilerplate_clf.inference import encoder as inference
from boilerplate_clf.inference.ngrams import NgramScorer
from boilerplate_clf.inference.repeats import pool_repeats
from boilerplate_clf.inference.scorer import joined_logits
from boilerplate_clf.inference.session import Session
from boilerplate_clf.inference.windows import WindowConfig
from boilerplate_clf.training.batches import Featurizer
from boilerplate_clf.training.data import LabelledDocument, read_labelled
from boilerplate_clf.training.finetune import onnx_logits
from boilerplate_clf.training.linear import linear_scores
from boilerplate_clf.training.tokenizer import load_tokenizer

Logits = npt.NDArray[np.floating]


class Encoder:
    """The bundle's ONNX model under changed windows."""

    def __init__(self, bundle: Bundle) -> None:
        """Load it."""
        self.bundle = bundle
        self.session = Session(bundle.model, len(bundle.manifest.labels))
        self.tokenizer = load_tokenizer(bundle.path / "tokenizer.json")

    def logits(self, documents: Sequence[LabelledDocument], windows: WindowConfig) -> Logits:
        """Return all paragraphs' logits."""
        featurizer = Featurizer(self.tokenizer, windows, self.bundle.manifest.labels)
        return np.concatenate(onnx_logits(self.session, featurizer, documents))


def alone(documents: Sequence[LabelledDocument]) -> list[LabelledDocument]:
    """Return every paragraph as a document of its own."""
    return [
        replace(d, texts=(text,), labels=(label,))
        for d in documents
        for text, label in zip(d.texts, d.labels, strict=True)
    ]


def main() -> None:
    """Print one row per change."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", type=Path, default=Path("../shared/gold/dev.jsonl"))
    parser.add_argument("--model", type=Path, default=shipped_bundle())
    arguments = parser.parse_args()
    bundle = load_bundle(arguments.model)
    manifest, encoder = bundle.manifest, Encoder(bundle)
    documents = read_labelled(arguments.data, manifest.labels)
    gold = gold_of(documents, manifest.labels)
    ngrams, scorer = np.zeros((len(gold.decided), len(manifest.labels)), np.float32), None
    if bundle.ngrams is not None:
        scorer = NgramScorer.from_bytes(bundle.ngrams, len(manifest.labels))
        ngrams = manifest.ngram_weight * np.concatenate(linear_scores(scorer, documents))
    print(
        f"{arguments.data.name} sha256 {sha256_file(arguments.data)[:12]}, {manifest.name} {manifest.version}"
    )
    print(f"{'':<44}{'F1 text':>9}{'F1 all':>9}{'flagged':>9}")

    def row(name: str, logits: Logits, *, chained: bool = False) -> None:
        lengths = [len(document) for document in documents]
        scores = manifest.chain.flat_marginals(logits, lengths) if chained else logits
        guess = scores.argmax(axis=1)[gold.decided]
        views = {view: describe(gold, guess, view, manifest.keep_label) for view in VIEWS}
        print(
            f"{name:<44}{views['text']['macro_f1']:>9.3f}{views['all']['macro_f1']:>9.3f}"
            f"{views['text']['content_flagged']:>9.2%}",
            flush=True,
        )

    texts = [document.model_texts() for document in documents]
    ends = np.cumsum([len(document) for document in documents])[:-1]

    def pooled(logits: Logits) -> Logits:
        parts = np.split(logits, ends)
        return np.concatenate([pool_repeats(*pair) for pair in zip(texts, parts, strict=True)])

    windows = manifest.windows
    cascaded = joined_logits(
        texts,
        len(manifest.labels),
        inference.Encoder(bundle.tokenizer_json, encoder.session, windows, len(manifest.labels)),
        scorer,
        manifest.ngram_weight,
        manifest.cascade,
        manifest.labels.index(manifest.keep_label),
    )
    row("as shipped", np.concatenate(cascaded), chained=True)
    shipped = encoder.logits(documents, windows)
    row("every paragraph read by the encoder", pooled(shipped + ngrams), chained=True)
    row("repeats judged each by itself", shipped + ngrams, chained=True)
    row("without the chain", pooled(shipped + ngrams))
    row("without the n-gram model", pooled(shipped), chained=True)
    row("encoder alone", shipped)
    if bundle.ngrams is not None:
        row("n-gram model and chain, no encoder", pooled(ngrams), chained=True)
        row("n-gram model alone", ngrams)
    row("encoder alone, each paragraph by itself", encoder.logits(alone(documents), windows))
    for tokens in (128, 256, 768):
        changed = replace(windows, window_tokens=tokens, overlap_tokens=min(tokens // 4, tokens - 72))
        row(f"encoder alone, windows of {tokens} tokens", encoder.logits(documents, changed))
    for head, tail in ((16, 4), (32, 8), (96, 32)):
        changed = replace(windows, head_tokens=head, tail_tokens=tail)
        row(f"encoder alone, paragraphs cut to {head} + {tail}", encoder.logits(documents, changed))


if __name__ == "__main__":
    main()
