"""From texts to probabilities: encoder, n-grams and chain of a bundle, and of its extension."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from boilerplate_clf.bundle import Bundle
from boilerplate_clf.inference.cascade import Cascade
from boilerplate_clf.inference.encoder import Encoder
from boilerplate_clf.inference.ngrams import NgramScorer
from boilerplate_clf.inference.repeats import pool_repeats
from boilerplate_clf.inference.session import Session

Floats = npt.NDArray[np.float64]
Logits = npt.NDArray[np.float32]


class Scorer:
    """Gives each paragraph of a document a probability per label.

    Safe to share between threads.

    Args:
        bundle: a verified bundle.
        threads: of the encoder, see :class:`~boilerplate_clf.inference.session.Session`.
        cache: paragraphs whose n-gram scores are kept.

    Raises:
        BundleError: a file of the bundle cannot be used.
    """

    def __init__(self, bundle: Bundle, threads: int | None = None, cache: int = 0) -> None:
        """Load encoder and n-gram model; a bundle may lack either of them."""
        manifest = bundle.manifest
        own = len(manifest.labels)
        self.labels = bundle.labels
        self.keep = self.labels.index(manifest.keep_label)
        self._own, self._chain, self._cascade = own, manifest.chain, manifest.cascade
        self._ngram_weight = manifest.ngram_weight
        # First what is only read: of a bundle that is refused nothing has run.
        self._ngrams = NgramScorer.from_bytes(bundle.ngrams, own, cache) if bundle.ngrams else None
        self._encoder: Encoder | None = None
        if bundle.model is not None and manifest.windows is not None:
            session = Session(bundle.model, own, threads)
            self._encoder = Encoder(bundle.tokenizer_json, session, manifest.windows, own)
        self._extension = None if bundle.extension is None else Scorer(bundle.extension, threads, cache)
        self._audible = _lowest(bundle.extension) if bundle.extension is not None else None

    def probabilities(self, documents: Sequence[Sequence[str]]) -> list[Floats]:
        """Return ``(paragraphs, labels)`` of each document.

        Args:
            documents: what :func:`~boilerplate_clf.inference.classifier.model_text` makes of the
                paragraphs. An empty one is certainly content, and nobody's neighbour.
        """
        filled = [np.asarray([text != "" for text in document], bool) for document in documents]
        texts = [[text for text in document if text] for document in documents]
        results = [np.tile(np.eye(self._own)[self.keep], (len(document), 1)) for document in documents]
        for result, rows, scores in zip(
            results, filled, self._chain.marginals(self._logits(texts)), strict=True
        ):
            result[rows] = scores
        if self._extension is not None and self._audible is not None:
            keep, found = self._extension.keep, self._extension.probabilities(documents)
            results = [_extend(*pair, keep, self._audible) for pair in zip(results, found, strict=True)]
        return results

    def _logits(self, documents: Sequence[Sequence[str]]) -> list[Logits]:
        """Return the logits of encoder and n-gram model together, ``(paragraphs, labels)`` each."""
        return joined_logits(
            documents, self._own, self._encoder, self._ngrams, self._ngram_weight, self._cascade, self.keep
        )


def joined_logits(
    documents: Sequence[Sequence[str]],
    labels: int,
    encoder: Encoder | None,
    ngrams: NgramScorer | None,
    ngram_weight: float,
    cascade: Cascade | None,
    keep: int,
) -> list[Logits]:
    """Return the logits of encoder and n-gram model together, ``(paragraphs, labels)`` of each document.

    What a document says twice gets the mean of both places (:mod:`boilerplate_clf.inference.repeats`).

    Args:
        documents: paragraphs in reading order.
        labels: number of labels.
        encoder: None: the n-gram model judges alone.
        ngrams: None: the encoder judges alone.
        ngram_weight: of the n-gram model's log probabilities beside the encoder's logits.
        cascade: what the encoder is asked about; None: everything.
        keep: column of content.
    """
    found = _joined(documents, labels, encoder, ngrams, ngram_weight, cascade, keep)
    return [pool_repeats(*pair) for pair in zip(documents, found, strict=True)]


def _joined(
    documents: Sequence[Sequence[str]],
    labels: int,
    encoder: Encoder | None,
    ngrams: NgramScorer | None,
    ngram_weight: float,
    cascade: Cascade | None,
    keep: int,
) -> list[Logits]:
    if ngrams is None:
        shares = [np.zeros((len(document), labels), np.float32) for document in documents]
    else:
        shares = [ngrams.log_probabilities(document) for document in documents]
    if encoder is None:
        return [ngram_weight * share for share in shares]
    if cascade is None:
        found = encoder.logits(documents)
        return [scores + ngram_weight * share for scores, share in zip(found, shares, strict=True)]
    readings = [cascade.reading(share, keep) for share in shares]
    found = encoder.logits(documents, cascade, readings)
    return [
        np.where(reading.asked[:, None], scores + ngram_weight * share, cascade.ngram_weight * share)
        for reading, scores, share in zip(readings, found, shares, strict=True)
    ]


def _lowest(extension: Bundle) -> Floats:
    """Return the lowest threshold that any mode has for each label; 0: a mode has none."""
    modes = extension.thresholds.values()
    return np.asarray([min(mode.get(label, 0.0) for mode in modes) for label in extension.labels])


def _extend(base: Floats, extension: Floats, keep: int, audible: Floats) -> Floats:
    """Join the probabilities of a model and of its extension.

    The extension says how likely a paragraph has one of its new labels; what remains is shared out as the
    base model shares it, whose labels are so neither forgotten nor shifted. Where no new label is likely
    enough for any mode the extension is not heard at all: a doubt that leads to nothing would still push
    labels of the base model below their thresholds.

    Args:
        base: ``(paragraphs, labels)``.
        extension: ``(paragraphs, 1 + new labels)``.
        keep: column of the extension's "none of them".
        audible: of the extension's labels, from which probability on they are heard.
    """
    heard = np.delete(extension >= audible, keep, axis=1).sum(axis=1, keepdims=True) > 0
    extension = np.where(heard, extension, np.eye(extension.shape[1])[keep])
    return np.hstack([base * extension[:, [keep]], np.delete(extension, keep, axis=1)])
