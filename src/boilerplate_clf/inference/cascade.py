"""Asking the encoder only where it can change something.

Most paragraphs of a page are article text beyond doubt, which the n-gram model sees for a fraction of the
cost. The encoder reads those that may be appeals, each with its neighbours, in one sequence, as if the page
held nothing else (cascades: Viola & Jones 2001; for models of text: FrugalGPT, Chen et al. 2023). What may
be an appeal is told by the n-gram model over the whole document, with a chain of its own, so that a
paragraph beside an appeal is asked about sooner than one far from any.

Of some labels the encoder must read more: a plea for donations runs over many paragraphs, most of which
name no money and are told from an article by where the plea begins and ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from boilerplate_clf.inference.chain import Chain, as_chain, as_number
from boilerplate_clf.limits import MAX_CONTEXT, MAX_FACTOR

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Cascade:
    """Which paragraphs the encoder is asked about, and what becomes of the others."""

    chain: Chain
    """Fitted to the n-gram model by itself."""
    least_doubt: float
    """Probability of not being content from which the encoder is asked, 0 to 1."""
    context: int
    """Paragraphs on either side that the encoder reads along."""
    context_head: int
    context_tail: int
    """Such a paragraph is cut to its first ``context_head`` and its last ``context_tail`` tokens."""
    ngram_weight: float
    """Of the n-gram model's log probabilities where the encoder is not asked."""
    wide_columns: tuple[int, ...] = ()
    """Labels around which the encoder reads farther, and cuts no more than what it is asked about."""
    wide_doubt: float = 1.0
    """Probability of these labels together above which it does, 0 to 1."""
    wide_context: int = 0
    """Paragraphs on either side that it then reads."""

    def problem(self, labels: int, keep: int) -> tuple[str, str] | None:
        """Return a field whose value makes no sense and what it must be; None: all of them do.

        Args:
            labels: number of the model's labels.
            keep: column of content.
        """
        for name in ("least_doubt", "wide_doubt"):
            if not 0 <= getattr(self, name) <= 1:
                return name, "must lie between 0 and 1"
        for name in ("context", "context_head", "context_tail", "wide_context"):
            if type(value := getattr(self, name)) is not int or not 0 <= value <= MAX_CONTEXT:
                return name, f"must lie between 0 and {MAX_CONTEXT}"
        if not 0 < self.ngram_weight <= MAX_FACTOR:
            return "ngram_weight", f"must lie between 0 and {MAX_FACTOR}"
        columns, appeals = self.wide_columns, set(range(labels)) - {keep}
        known = all(type(column) is int and column in appeals for column in columns)
        if not known or len(set(columns)) != len(columns):
            return "wide_columns", "must be places of different labels, and not of what is kept"
        return None

    def reading(self, ngrams: npt.NDArray[np.floating], keep: int) -> Reading:
        """Return what the encoder reads of a document.

        Args:
            ngrams: the n-gram model's log probabilities ``(paragraphs, labels)``.
            keep: column of content.
        """
        found = self.chain.marginals([ngrams])[0]
        asked = 1.0 - found[:, keep] > self.least_doubt
        suspected = found[:, list(self.wide_columns)].sum(axis=1) > self.wide_doubt
        return reading(asked, suspected, self.context, self.wide_context)


@dataclass(frozen=True)
class Reading:
    """Masks ``(paragraphs,)`` over a document, each of which includes the one before."""

    asked: Mask
    """What the encoder is asked about."""
    whole: Mask
    """What it reads in full."""
    read: Mask
    """What it reads at all; what is not in ``whole`` is cut short."""


def reading(asked: Mask, suspected: Mask, context: int, wide_context: int) -> Reading:
    """Return what is read: ``context`` paragraphs around ``asked``, ``wide_context`` around ``suspected``."""
    whole = asked | neighbourhood(suspected, wide_context)
    return Reading(asked, whole, whole | neighbourhood(asked, context))


def neighbourhood(asked: Mask, context: int) -> Mask:
    """Return a mask of what ``asked`` marks and of the ``context`` paragraphs on either side of each."""
    near = asked.copy()
    for distance in range(1, context + 1):
        near[distance:] |= asked[:-distance]
        near[:-distance] |= asked[distance:]
    return near


def as_cascade(raw: Mapping[str, Any]) -> Cascade:
    """Return what ``dataclasses.asdict`` made of a cascade.

    Raises:
        TypeError: a field is unknown, missing or of another type.
    """
    values = {**raw, "chain": as_chain(raw["chain"])}
    # Bundles of releases before 0.9 know no wider context.
    for name in ("least_doubt", "ngram_weight", "wide_doubt"):
        if name in values:
            values[name] = as_number(values[name])
    if "wide_columns" in values:
        if not isinstance(values["wide_columns"], list | tuple):
            raise TypeError("wide_columns must be a list")
        values["wide_columns"] = tuple(values["wide_columns"])
    return Cascade(**values)
