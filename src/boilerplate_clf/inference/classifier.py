"""The classifier: what users call."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import unescape
from itertools import islice
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from boilerplate_clf.bundle import Bundle, find_bundle, load_bundle
from boilerplate_clf.errors import InputError, InputTooLargeError
from boilerplate_clf.html.extract import extract
from boilerplate_clf.inference.decide import DEFAULT_MODE, Decider, Mode
from boilerplate_clf.inference.document import Document, ModelInfo, Paragraph, mode_name
from boilerplate_clf.inference.explain import explain
from boilerplate_clf.inference.repeats import repeat_key
from boilerplate_clf.inference.scorer import Scorer
from boilerplate_clf.labels import as_label
from boilerplate_clf.limits import (
    BATCH_CHARS,
    BATCH_DOCUMENTS,
    CACHED_PARAGRAPHS,
    HEAD_CHARS,
    MAX_DOCUMENT_CHARS,
    MAX_PARAGRAPHS,
    TAIL_CHARS,
)
from boilerplate_clf.text import INVISIBLE, Span, split_paragraphs, trim

_INVISIBLE = re.compile(f"[{INVISIBLE}]")


class Classifier:
    r"""Labels the paragraphs of German articles.

    Loading takes well under a second; keep one classifier and share it, between threads too.

    Args:
        model: folder of a bundle, or ``accurate``: the shipped one, whose encoder then reads every paragraph
            instead of those that the n-gram model doubts, which takes several times as long. None (or
            ``fast``) takes the shipped one.
        mode: how sure the model must be, see :class:`~boilerplate_clf.Mode`. A document can be
            decided anew in another mode without another call (:meth:`Document.rethreshold`).
        precision_target: instead of a mode: the least precision that each label shall have, as
            measured on dev, 0 to 1.
        threads: CPU threads of the model; None takes those that the process (or its container)
            may use. Take 1 when several processes work side by side.
        cache: paragraphs that are remembered, since menus and appeals stand on every page of a site; 0: none.
            Results are the same with and without.

    Attributes:
        bundle: the verified bundle.
        decider: its thresholds.
        mode: what labels are decided in: a mode's name, or ``precision>=…``.
        info: name and version of the model.

    Raises:
        BundleError: the bundle is missing, altered or not usable (see :mod:`boilerplate_clf.errors`).
        InputError: unknown mode, a target outside 0 to 1, or both given.
        ValueError: ``threads`` below 1, or ``cache`` below 0.

    >>> from boilerplate_clf import Classifier
    >>> clf = Classifier()
    >>> clf.clean("Der Rat tagt am Montag im Rathaus.\nJetzt Abo abschließen und weiterlesen!")
    'Der Rat tagt am Montag im Rathaus.'
    """

    def __init__(
        self,
        model: str | Path | None = None,
        *,
        mode: Mode | str | None = None,
        precision_target: float | None = None,
        threads: int | None = None,
        cache: int = CACHED_PARAGRAPHS,
    ) -> None:
        """Load and verify the bundle."""
        if threads is not None and threads < 1:
            raise ValueError(f"threads must be at least 1, not {threads}")
        if cache < 0:
            raise ValueError(f"cache must be at least 0, not {cache}")
        self._arguments = {
            "model": model,
            "mode": mode,
            "precision_target": precision_target,
            "threads": threads,
            "cache": cache,
        }
        self.bundle: Bundle = load_bundle(find_bundle(model))
        manifest = self.bundle.manifest
        self._scorer = Scorer(self.bundle, threads, cache)
        self._labels = [as_label(name) for name in self._scorer.labels]
        bundle = self.bundle
        self.decider = Decider(bundle.labels, self._scorer.keep, bundle.thresholds, bundle.precision)
        if mode is None and precision_target is None:
            mode = DEFAULT_MODE
        self._rule = self.decider.rule(mode, precision_target)
        self.mode = mode_name(mode, precision_target)
        self.info = ModelInfo(manifest.name, manifest.version)

    def __reduce__(self) -> tuple[Callable[..., Classifier], tuple[dict[str, Any]]]:
        """Let a classifier be sent to another process, which loads (and verifies) the bundle anew."""
        return _load, (self._arguments,)

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels, in the model's order."""
        return tuple(self._labels)

    def predict(self, document: str | Sequence[str]) -> Document:
        """Label one document.

        Args:
            document: a text, split into paragraphs at line breaks; or its paragraphs in reading
                order. Paragraphs of a sequence all get a label, blank ones ``content``.

        Returns:
            The document: of a text without any visible character one without paragraphs.

        Raises:
            InputError: not a text or a sequence of texts.
            InputTooLargeError: larger than :mod:`boilerplate_clf.limits` allows.
            BundleFormatError: the model cannot be run, or gives scores that are no numbers.
        """
        return self._predict_chunk([document])[0]

    def predict_html(self, html: str | bytes, url: str | None = None) -> Document:
        """Label the main text of an HTML page; needs the extra ``html``.

        Args:
            html: the page. Its paragraphs are found by trafilatura, see
                :mod:`boilerplate_clf.html.extract`; the result's ``metadata`` has title, author and date.
            url: of the page; nothing is fetched from it.

        Raises:
            InputError: not a page, or too large a one.
            MissingExtraError: trafilatura is not installed.
        """
        paragraphs, metadata = extract(html, url)
        document = self.predict(paragraphs)
        document.metadata = metadata
        return document

    async def apredict(self, document: str | Sequence[str]) -> Document:
        """Label one document without blocking the event loop: :meth:`predict` in a thread.

        The model releases the interpreter's lock while it computes.

        Raises:
            InputError: as in :meth:`predict`.
        """
        import asyncio  # most programs do not need it, and it takes a while to load

        return await asyncio.to_thread(self.predict, document)

    async def aclean(self, document: str) -> str:
        """Return the content of a text without blocking the event loop.

        Raises:
            InputError: as in :meth:`predict`.
        """
        return (await self.apredict(document)).clean_text

    def predict_batch(self, documents: Iterable[str | Sequence[str]]) -> Iterator[Document]:
        """Label many documents, lazily and in order.

        A few documents are read ahead, so that they share calls of the model; memory does not grow
        with the length of the input.

        Raises:
            InputError: as in :meth:`predict`; the documents before it have been yielded.
        """
        if isinstance(documents, str):
            raise InputError("predict_batch takes an iterable of documents; use predict for one text")
        source = iter(documents)
        while chunk := self._read_ahead(source):
            try:
                yield from self._predict_chunk(chunk)
            except InputError:
                # Name the culprit only after everything before it has been handed over.
                for document in chunk:
                    yield self.predict(document)

    @overload
    def clean(self, document: str) -> str: ...  # type: ignore[overload-overlap] # a str is a sequence too
    @overload
    def clean(self, document: Sequence[str]) -> list[str]: ...
    def clean(self, document: str | Sequence[str]) -> str | list[str]:
        """Return the content only: a text for a text, a list for a sequence of paragraphs.

        Raises:
            InputError: as in :meth:`predict`.
        """
        result = self.predict(document)
        return result.clean_text if isinstance(document, str) else result.clean_paragraphs

    @staticmethod
    def _read_ahead(source: Iterator[str | Sequence[str]]) -> list[str | Sequence[str]]:
        chunk: list[str | Sequence[str]] = []
        chars = 0
        for document in islice(source, BATCH_DOCUMENTS):
            chunk.append(document)
            chars += _chars(document)
            if chars > BATCH_CHARS:
                break
        return chunk

    def explain(self, document: Document) -> Document:
        """Return ``document`` with the phrases that drove each label other than content.

        Each phrase is left out in turn and the paragraph judged again in its place; see
        :mod:`boilerplate_clf.inference.explain`. Takes three times as long as the prediction
        on a usual page, twenty times as long on a short one full of appeals.

        Args:
            document: a result of this classifier, or of another with the same labels.

        Raises:
            ValueError: a label of the document is none of this model's.
        """
        keys = [repeat_key(text) for text in model_texts([p.text for p in document])]
        return explain(document, keys, self._log_odds)

    def _log_odds(self, texts: Sequence[Sequence[str]], place: int, label: str) -> list[float]:
        """Return the log odds of ``label`` for paragraph ``place`` of each document."""
        column = self._labels.index(label)
        odds = []
        for scores in self._scorer.probabilities([model_texts(document) for document in texts]):
            p = scores[place, column]
            odds.append(float(np.log(p + 1e-9) - np.log1p(1e-9 - p)))
        return odds

    def _predict_chunk(self, documents: Sequence[str | Sequence[str]]) -> list[Document]:
        spans = [_spans(document) for document in documents]
        texts = [_model_texts(document, found) for document, found in zip(documents, spans, strict=True)]
        scores = self._scorer.probabilities(texts)
        return [self._document(*parts) for parts in zip(documents, spans, scores, strict=True)]

    def _document(
        self, document: str | Sequence[str], spans: Sequence[Span], scores: npt.NDArray[np.float64]
    ) -> Document:
        paragraphs = []
        verdicts = self.decider.judge(scores, self._rule)
        for index, (span, row, (best, reason)) in enumerate(zip(spans, scores, verdicts, strict=True)):
            text = document if isinstance(document, str) else document[index]
            values = row.tolist()
            paragraphs.append(
                Paragraph(
                    index=index,
                    start=span.start,
                    end=span.end,
                    text=text[span.start : span.end],
                    label=self._labels[best],
                    score=values[best],
                    scores=dict(zip(self._labels, values, strict=True)),
                    raw_label=self._labels[int(row.argmax())],
                    reason=reason,
                )
            )
        return Document(paragraphs, document, self.info, self.decider, self.mode)


def _load(arguments: dict[str, Any]) -> Classifier:
    return Classifier(**arguments)


def _model_texts(document: str | Sequence[str], spans: Sequence[Span]) -> list[str]:
    return [
        model_text(document if isinstance(document, str) else document[index], span)
        for index, span in enumerate(spans)
    ]


def model_texts(paragraphs: Sequence[str]) -> list[str]:
    """Return what the model sees of each paragraph of a sequence."""
    return [model_text(text, trim(text)) for text in paragraphs]


def model_text(text: str, span: Span) -> str:
    """Return what the model sees of a paragraph: bounded, and in one spelling.

    The middle of a very long paragraph is left out before anything is computed, which keeps the cost of
    hostile input bounded; lone surrogates, which UTF-8 cannot hold, become "?". Soft hyphens and other
    invisible characters are left out and characters composed, as the tokenizer does for the encoder:
    to the n-gram model, a word with a soft hyphen would be two others. HTML entities that a scraper left in
    become what they stand for.
    """
    if span.end - span.start > HEAD_CHARS + TAIL_CHARS:
        part = text[span.start : span.start + HEAD_CHARS] + " " + text[span.end - TAIL_CHARS : span.end]
    else:
        part = text[span.start : span.end]
    if "&" in part:
        part = unescape(part)
    if not part.isascii():
        part = unicodedata.normalize("NFC", _INVISIBLE.sub("", part))
    return part.encode("utf-8", "replace").decode("utf-8")


def _spans(document: str | Sequence[str]) -> list[Span]:
    """Split a text, or trim the items of a sequence.

    Raises:
        InputError: wrong type, or larger than the limits.
    """
    if isinstance(document, str):
        _check_size(len(document))
        # Of a text with millions of lines no more is made than tells that it is too large.
        spans = list(islice(split_paragraphs(document), MAX_PARAGRAPHS + 1))
    elif isinstance(document, Sequence) and not isinstance(document, (bytes, bytearray)):
        for index, item in enumerate(document):
            if not isinstance(item, str):
                raise InputError(f"paragraph {index} is {type(item).__name__}, not str")
        _check_size(sum(map(len, document)))
        spans = [trim(item) for item in document]
    else:
        raise InputError(f"a document is a str or a sequence of str, not {type(document).__name__}")
    if len(spans) > MAX_PARAGRAPHS:
        raise InputTooLargeError(f"more than {MAX_PARAGRAPHS:,} paragraphs, which is the most that are taken")
    return spans


def _chars(document: object) -> int:
    """Return the size of a document that has not been checked yet; what is none has none."""
    if isinstance(document, str):
        return len(document)
    if isinstance(document, Sequence):
        return sum(len(item) for item in document if isinstance(item, str))
    return 0


def _check_size(chars: int) -> None:
    if chars > MAX_DOCUMENT_CHARS:
        raise InputTooLargeError(f"{chars:,} characters: at most {MAX_DOCUMENT_CHARS:,} are taken")
