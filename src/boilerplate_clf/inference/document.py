"""The result of a prediction: one schema for library, CLI and HTTP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np

from boilerplate_clf.html.extract import Metadata
from boilerplate_clf.inference.decide import Decider, Mode
from boilerplate_clf.inference.removal import find_cuts, without
from boilerplate_clf.inference.verdict import Summary, summarise
from boilerplate_clf.labels import as_label

_DIGITS = 6
"""Decimals of a probability in ``to_dict``: enough to rank, short enough to read."""


@dataclass(frozen=True)
class ModelInfo:
    """Name and version of the model that made a prediction."""

    name: str
    """What the bundle calls itself."""
    version: str
    """Of the model, not of the package."""


@dataclass(frozen=True)
class Phrase:
    """A stretch of a paragraph and what it does for the paragraph's label."""

    start: int
    """Offset of its first character within the paragraph's ``text``."""
    end: int
    """Offset behind its last character."""
    text: str
    """What stands there."""
    influence: float
    """By how much the log odds of the label fall without the phrase."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {
            "start": self.start,
            "end": self.end,
            "text": self.text,
            "influence": round(self.influence, 3),
        }


@dataclass(frozen=True)
class Paragraph:
    """One paragraph with its label."""

    index: int
    """Place in the document, from 0."""
    start: int
    """Offset of its first character: ``article[start:end] == text``. If paragraphs were passed in, offsets
    are within that paragraph's own string."""
    end: int
    """Offset behind its last character."""
    text: str
    """What stands there, without blank and invisible characters around it."""
    label: str
    """The label: a :class:`~boilerplate_clf.Label` where it is one of the shipped model's."""
    score: float
    """Calibrated probability of ``label``, 0 to 1."""
    scores: Mapping[str, float]
    """Probability of each label; they sum to 1."""
    raw_label: str
    """The likeliest label, whatever the mode made of it."""
    reason: str
    """Why ``label`` is what it is: a :class:`~boilerplate_clf.inference.decide.Reason`."""
    because: tuple[Phrase, ...] = ()
    """The phrases that drove the label, strongest first; filled by :meth:`Classifier.explain`."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        result: dict[str, Any] = {
            "index": self.index,
            "start": self.start,
            "end": self.end,
            "text": self.text,
            "label": str(self.label),
            "score": round(self.score, _DIGITS),
            "scores": {str(name): round(value, _DIGITS) for name, value in self.scores.items()},
            "raw_label": str(self.raw_label),
            "reason": str(self.reason),
        }
        if self.because:
            result["because"] = [phrase.to_dict() for phrase in self.because]
        return result


class Document(Sequence[Paragraph]):
    """The labelled paragraphs of one document, in reading order: a sequence of them.

    Attributes:
        paragraphs: the same, as a tuple.
        model: name and version of the model.
        mode: what the labels were decided in: a :class:`~boilerplate_clf.Mode`'s name, or ``precision>=…``.
        labels: all labels of the model, in its order; the order of each paragraph's ``scores``.
        keep_label: the label of what is kept: ``content``, or what a custom model has in its place.
        metadata: what the page said about the article; None unless HTML was passed in.
    """

    def __init__(
        self,
        paragraphs: Sequence[Paragraph],
        source: str | Sequence[str],
        model: ModelInfo,
        decider: Decider,
        mode: str,
        metadata: Metadata | None = None,
    ) -> None:
        """Hold ``paragraphs`` together with the input that they were found in."""
        self.paragraphs = tuple(paragraphs)
        self.model = model
        self.mode = mode
        self.labels = tuple(as_label(name) for name in decider.labels)
        self.keep_label = self.labels[decider.keep]
        self.metadata = metadata
        self._source, self._decider = source, decider

    @overload
    def __getitem__(self, index: int) -> Paragraph: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Paragraph, ...]: ...
    def __getitem__(self, index: int | slice) -> Paragraph | tuple[Paragraph, ...]:
        """Return a paragraph, or several."""
        return self.paragraphs[index]

    def __len__(self) -> int:
        """Return the number of paragraphs."""
        return len(self.paragraphs)

    def __iter__(self) -> Iterator[Paragraph]:
        """Iterate over the paragraphs."""
        return iter(self.paragraphs)

    def __repr__(self) -> str:
        """Return a short summary."""
        counts: dict[str, int] = {}
        for paragraph in self:
            counts[str(paragraph.label)] = counts.get(str(paragraph.label), 0) + 1
        inside = ", ".join(f"{name}: {count}" for name, count in counts.items())
        return f"<Document of {len(self)} paragraphs ({inside})>"

    def rethreshold(
        self, mode: Mode | str | None = None, *, precision_target: float | None = None
    ) -> Document:
        """Return the same document with its labels decided anew; the model is not asked again.

        Args:
            mode: a :class:`~boilerplate_clf.Mode` or its name.
            precision_target: instead of a mode, see :meth:`Decider.rule`.

        Raises:
            InputError: as :meth:`Decider.rule`.
        """
        paragraphs = self._decided(mode, precision_target)
        name = mode_name(mode, precision_target)
        return Document(paragraphs, self._source, self.model, self._decider, name, self.metadata)

    def _decided(self, mode: Mode | str | None, precision_target: float | None) -> list[Paragraph]:
        decider = self._decider
        rule = decider.rule(mode, precision_target)
        if not self.paragraphs:
            return []
        scores = np.asarray([list(p.scores.values()) for p in self], np.float64)
        paragraphs = []
        for p, (best, reason) in zip(self, decider.judge(scores, rule), strict=True):
            label = self.labels[best]
            paragraphs.append(replace(p, label=label, score=p.scores[label], reason=reason, because=()))
        return paragraphs

    def with_paragraphs(self, paragraphs: Sequence[Paragraph]) -> Document:
        """Return the document with other paragraph objects for the same text, as many as before."""
        return Document(paragraphs, self._source, self.model, self._decider, self.mode, self.metadata)

    @property
    def summary(self) -> Summary:
        """The verdict on the document as a whole: see :func:`boilerplate_clf.inference.verdict.summarise`."""
        free = self.metadata.accessible_for_free if self.metadata is not None else None
        return summarise(self.paragraphs, self.keep_label, free)

    @property
    def kept(self) -> tuple[Paragraph, ...]:
        """The paragraphs that are content."""
        return tuple(p for p in self if p.label == self.keep_label)

    @property
    def removed(self) -> tuple[Paragraph, ...]:
        """The paragraphs that are not content."""
        return tuple(p for p in self if p.label != self.keep_label)

    @property
    def clean_text(self) -> str:
        """The content, in the input's own order and spelling.

        Of a text, removed paragraphs are cut out together with the line break that follows them;
        everything else stays as it was, blank lines included. Of a sequence, the kept paragraphs
        are joined by line breaks.
        """
        if not isinstance(self._source, str):
            return "\n".join(self.clean_paragraphs)
        cuts = find_cuts(self._source, self.paragraphs, self.keep_label)
        return without(self._source, cuts)

    def removal(self, source: str | None = None) -> dict[str, Any]:
        """Return what cleaning takes out, as plain JSON types.

        ``removed`` lists the paragraphs with their labels. Of a text, ``cuts`` has the stretches that are
        missing in ``clean_text``, white space included, from which
        :func:`boilerplate_clf.inference.removal.restore` makes the original again.

        Args:
            source: where the document came from.
        """
        text = self._source
        keys = ("index", "start", "end", "text", "label", "score")
        rows = [{key: p.to_dict()[key] for key in keys} for p in self.removed]
        if isinstance(text, str):
            cuts = find_cuts(text, self.paragraphs, self.keep_label)
            found = [{"start": cut.start, "end": cut.end, "text": text[cut.start : cut.end]} for cut in cuts]
            return {"source": source, "removed": rows, "cuts": found}
        for row in rows:
            row["text"] = text[row["index"]]  # with the blanks around it: it is what was passed in
        return {"source": source, "removed": rows}

    @property
    def clean_paragraphs(self) -> list[str]:
        """The content as a list: the items that were passed in, or the paragraphs of a text."""
        if isinstance(self._source, str):
            return [p.text for p in self.kept]
        return [self._source[p.index] for p in self.kept]

    def to_dict(self, source: str | None = None, meta: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the document as plain JSON types.

        Args:
            source: where the document came from (a file name); None for a library call.
            meta: further keys of the input record; left out if empty.
        """
        result: dict[str, Any] = {
            "source": source,
            "model": {"name": self.model.name, "version": self.model.version},
            "mode": self.mode,
            "summary": self.summary.to_dict(),
            "paragraphs": [p.to_dict() for p in self],
        }
        if self.metadata is not None:
            result["metadata"] = self.metadata.to_dict()
        if meta:
            result["meta"] = dict(meta)
        return result


def mode_name(mode: Mode | str | None, precision_target: float | None) -> str:
    """Return what :attr:`Document.mode` says."""
    return str(mode) if precision_target is None else f"precision>={precision_target:g}"
