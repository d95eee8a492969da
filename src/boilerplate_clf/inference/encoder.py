"""The encoder: texts in, logits of the paragraphs that it is asked about out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from boilerplate_clf.errors import BundleFormatError
from boilerplate_clf.inference.cascade import Cascade, Reading
from boilerplate_clf.inference.pieces import Pieces
from boilerplate_clf.inference.session import Session
from boilerplate_clf.inference.windows import Window, WindowConfig, cut, make_windows

Floats = npt.NDArray[np.float32]


class Encoder:
    """Tokenizer, windows and ONNX session.

    Args:
        tokenizer_json: contents of a ``tokenizers`` file.
        session: of the model.
        windows: how its sequences are made.
        labels: number of labels.

    Raises:
        BundleFormatError: not such a file, or not one for these windows.
    """

    def __init__(self, tokenizer_json: str, session: Session, windows: WindowConfig, labels: int) -> None:
        """Load the tokenizer."""
        try:
            tokenizer = Tokenizer.from_str(tokenizer_json)
        except Exception as error:  # tokenizers has no type of its own
            raise BundleFormatError(f"tokenizer.json cannot be read: {error}") from error
        if max(windows.cls_id, windows.sep_id, windows.marker_id) >= tokenizer.get_vocab_size():
            raise BundleFormatError("'windows' has ids that tokenizer.json lacks")
        self._pieces = Pieces(tokenizer)
        self._session, self._windows, self._labels = session, windows, labels

    def logits(
        self,
        documents: Sequence[Sequence[str]],
        cascade: Cascade | None = None,
        readings: Sequence[Reading] = (),
    ) -> list[Floats]:
        """Return the logits ``(paragraphs, labels)`` of each document; zeros for what is not read.

        Args:
            documents: paragraphs in reading order.
            cascade: how what is read along is cut; None: everything is read.
            readings: with a cascade, per document, what is read.
        """
        read = [np.ones(len(document), bool) for document in documents]
        if cascade is not None:
            read = [reading.read for reading in readings]
        chosen = [np.flatnonzero(mask).tolist() for mask in read]
        encoded = self._encode([[d[i] for i in rows] for d, rows in zip(documents, chosen, strict=True)])
        if cascade is not None:
            for document, rows, reading in zip(encoded, chosen, readings, strict=True):
                for place, row in enumerate(rows):
                    if not reading.whole[row]:
                        document[place] = cut(document[place], cascade.context_head, cascade.context_tail)
        windows: list[Window] = []
        owners: list[int] = []
        for number, document in enumerate(encoded):
            made = make_windows(document, self._windows)
            windows.extend(made)
            owners.extend([number] * len(made))
        logits = [np.zeros((len(document), self._labels), np.float32) for document in documents]
        for window, owner, part in zip(windows, owners, self._session.run(windows), strict=True):
            for index in window.keep:
                logits[owner][chosen[owner][index]] = part[index - window.first]
        return logits

    def _encode(self, documents: Sequence[Sequence[str]]) -> list[list[list[int]]]:
        """Return the token ids of all paragraphs of all documents, from one call."""
        ids = iter(self._pieces.ids([text for document in documents for text in document]))
        return [[next(ids) for _ in document] for document in documents]
