"""Asking the encoder only where it can change something.

Most paragraphs of a page are article text beyond doubt, which the n-gram model sees for a fraction of the
cost. The encoder reads those that may be appeals, each with its neighbours, in one sequence, as if the page
held nothing else (cascades: Viola & Jones 2001; for models of text: FrugalGPT, Chen et al. 2023). What may
be an appeal is told by the n-gram model over the whole document, with a chain of its own, so that a
paragraph beside an appeal is asked about sooner than one far from any.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from boilerplate_clf.inference.chain import Chain, as_chain

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

    def asked(self, ngrams: npt.NDArray[np.floating], keep: int) -> Mask:
        """Return a mask of the paragraphs of a document that the encoder is asked about.

        Args:
            ngrams: the n-gram model's log probabilities ``(paragraphs, labels)``.
            keep: column of content.
        """
        doubt = 1.0 - self.chain.marginals([ngrams])[0][:, keep]
        result: Mask = doubt > self.least_doubt
        return result

    def read(self, asked: Mask) -> Mask:
        """Return a mask of the paragraphs that the encoder reads: those asked about, and their neighbours."""
        return neighbourhood(asked, self.context)


def neighbourhood(asked: Mask, context: int) -> Mask:
    """Return a mask of what ``asked`` marks and of the ``context`` paragraphs on either side of each."""
    near = asked.copy()
    for distance in range(1, context + 1):
        near[distance:] |= asked[:-distance]
        near[:-distance] |= asked[distance:]
    return near


def as_cascade(raw: Mapping[str, Any]) -> Cascade:
    """Return what ``dataclasses.asdict`` made of a cascade."""
    numbers = {name: float(raw[name]) for name in ("least_doubt", "ngram_weight")}
    return Cascade(**{**raw, "chain": as_chain(raw["chain"]), **numbers})
