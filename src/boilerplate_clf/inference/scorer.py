"""From texts to probabilities: encoder, n-grams and chain of a bundle, and of its extension."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from boilerplate_clf.bundle import Bundle
from boilerplate_clf.errors import BundleFormatError
from boilerplate_clf.inference.ngrams import NgramScorer
from boilerplate_clf.inference.session import Session
from boilerplate_clf.inference.windows import Window, WindowConfig, make_windows

Floats = npt.NDArray[np.float64]


class Scorer:
    """Gives each paragraph of a document a probability per label.

    Safe to share between threads.

    Args:
        bundle: a verified bundle.
        threads: of the encoder, see :class:`~boilerplate_clf.inference.session.Session`.

    Raises:
        BundleError: a file of the bundle cannot be used.
    """

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        """Load encoder and n-gram model; a bundle may lack either of them."""
        manifest = bundle.manifest
        own = len(manifest.labels)
        self.labels = bundle.labels
        self.keep = self.labels.index(manifest.keep_label)
        self._own, self._chain, self._ngram_weight = own, manifest.chain, manifest.ngram_weight
        # First what is only read: of a bundle that is refused nothing has run.
        self._ngrams = NgramScorer.from_bytes(bundle.ngrams, own) if bundle.ngrams else None
        self._encoder = None
        if bundle.model is not None and manifest.windows is not None:
            session = Session(bundle.model, own, threads)
            self._encoder = _Encoder(bundle.tokenizer_json, session, manifest.windows, own)
        self._extension = None if bundle.extension is None else Scorer(bundle.extension, threads)

    def probabilities(self, documents: Sequence[Sequence[str]]) -> list[Floats]:
        """Return ``(paragraphs, labels)`` of each document.

        Args:
            documents: what :func:`~boilerplate_clf.inference.classifier.model_text` makes of the
                paragraphs. An empty one is certainly content, and no link of the chain.
        """
        results = []
        for document, logits in zip(documents, self._logits(documents), strict=True):
            filled = np.asarray([text != "" for text in document], bool)
            scores = np.tile(np.eye(self._own)[self.keep], (len(document), 1))
            scores[filled] = self._chain.marginals([logits[filled]])[0]
            results.append(scores)
        if self._extension is not None:
            found = self._extension.probabilities(documents)
            results = [_extend(*pair, self._extension.keep) for pair in zip(results, found, strict=True)]
        return results

    def _logits(self, documents: Sequence[Sequence[str]]) -> list[npt.NDArray[np.float32]]:
        """Return the logits of encoder and n-gram model together, ``(paragraphs, labels)`` each."""
        if self._encoder is not None:
            logits = self._encoder.logits(documents)
        else:
            logits = [np.zeros((len(document), self._own), np.float32) for document in documents]
        if self._ngrams is not None:
            for scores, texts in zip(logits, documents, strict=True):
                scores += self._ngram_weight * self._ngrams.log_probabilities(texts)
        return logits


def _extend(base: Floats, extension: Floats, keep: int) -> Floats:
    """Join the probabilities of a model and of its extension.

    The extension says how likely a paragraph has one of its new labels; what remains is shared out as the
    base model shares it, whose labels are so neither forgotten nor shifted.

    Args:
        base: ``(paragraphs, labels)``.
        extension: ``(paragraphs, 1 + new labels)``.
        keep: column of the extension's "none of them".
    """
    return np.hstack([base * extension[:, [keep]], np.delete(extension, keep, axis=1)])


class _Encoder:
    """Tokenizer, windows and ONNX session."""

    def __init__(self, tokenizer_json: str, session: Session, windows: WindowConfig, labels: int) -> None:
        try:
            self._tokenizer = Tokenizer.from_str(tokenizer_json)
        except Exception as error:  # tokenizers has no type of its own
            raise BundleFormatError(f"tokenizer.json cannot be read: {error}") from error
        if max(windows.cls_id, windows.sep_id, windows.marker_id) >= self._tokenizer.get_vocab_size():
            raise BundleFormatError("bundle.json: 'windows' has ids that tokenizer.json lacks")
        # A literal "[SEP]" in a text must stay text, or it would forge a slot for a label.
        self._tokenizer.encode_special_tokens = True
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._session, self._windows, self._labels = session, windows, labels

    def logits(self, documents: Sequence[Sequence[str]]) -> list[npt.NDArray[np.float32]]:
        encoded = self._encode(documents)
        windows: list[Window] = []
        owners: list[int] = []
        for number, rows in enumerate(encoded):
            made = make_windows(rows, self._windows)
            windows.extend(made)
            owners.extend([number] * len(made))
        logits = [np.zeros((len(rows), self._labels), np.float32) for rows in encoded]
        for window, owner, part in zip(windows, owners, self._session.run(windows), strict=True):
            for index in window.keep:
                logits[owner][index] = part[index - window.first]
        return logits

    def _encode(self, documents: Sequence[Sequence[str]]) -> list[list[list[int]]]:
        """Return the token ids of all paragraphs of all documents, from one call."""
        flat = [text for document in documents for text in document]
        ids = iter(self._tokenizer.encode_batch_fast(flat, add_special_tokens=False))
        return [[next(ids).ids for _ in document] for document in documents]
