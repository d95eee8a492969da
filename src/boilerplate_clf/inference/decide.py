"""From calibrated probabilities to one label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from boilerplate_clf.errors import InputError
from boilerplate_clf.labels import Name

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Mode(Name):
    """How sure the model must be before a paragraph is taken for something else than content."""

    CAREFUL = "careful"
    """Thresholds under which at most 0.1 % of the content of dev was flagged."""
    BALANCED = "balanced"
    """The best macro-F1 with at most 0.3 % of the content of dev flagged."""
    BEST_GUESS = "best-guess"
    """The likeliest label, without thresholds."""


DEFAULT_MODE = Mode.BALANCED
TUNED_MODES = (Mode.CAREFUL, Mode.BALANCED)
"""The modes that have thresholds in ``bundle.json``."""

_NEVER = 1.01
"""A threshold that no probability reaches."""


class Reason(Name):
    """Why a paragraph has its label."""

    LIKELIEST = "likeliest"
    """It is the likeliest one (and reaches its threshold)."""
    BELOW_THRESHOLD = "below_threshold"
    """Another label is likelier, but too unsure for the mode."""
    ABOVE_THRESHOLD = "above_threshold"
    """Another label is likelier, but this one is likely enough for the mode."""


@dataclass(frozen=True)
class Decider:
    """The thresholds of a model, and what is made of them."""

    labels: tuple[str, ...]
    keep: int
    """Index of the label that a doubtful paragraph falls back to."""
    thresholds: Mapping[str, Mapping[str, float]]
    """Mode -> label -> least probability."""
    precision: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    """Label -> (threshold, precision on dev from there on), ascending in both."""

    def rule(
        self, mode: Mode | str | None = None, precision_target: float | None = None
    ) -> list[float] | None:
        """Return the least probability of each label; None: the likeliest label wins.

        Args:
            mode: one of :class:`Mode`.
            precision_target: instead of a mode, the least precision that each label shall have,
                as measured on dev; a label that never had it is not given at all.

        Raises:
            InputError: neither or both given, unknown mode, or a target that is not between 0 and 1.
        """
        if (mode is None) == (precision_target is None):
            raise InputError("give either a mode or a precision_target")
        if precision_target is not None:
            if not 0 < precision_target <= 1:
                raise InputError(f"precision_target must lie between 0 and 1, not {precision_target}")
            return [
                next((t for t, p in self.precision.get(name, ()) if p >= precision_target), _NEVER)
                for name in self.labels
            ]
        try:
            chosen = Mode(mode)
        except ValueError:
            known = ", ".join(Mode)
            raise InputError(f"mode {str(mode)!r} is not known: take one of {known}") from None
        if chosen is Mode.BEST_GUESS:
            return None
        return [self.thresholds[chosen].get(name, 0.0) for name in self.labels]

    def judge(self, scores: Floats, rule: Sequence[float] | None) -> list[tuple[int, Reason]]:
        """Return the label index of each paragraph under a rule, and why it has that label.

        Args:
            scores: ``(paragraphs, labels)`` probabilities.
            rule: of :meth:`rule`.
        """
        verdicts = []
        for likeliest, final in zip(scores.argmax(axis=1), decide(scores, rule, self.keep), strict=True):
            if likeliest == final:
                reason = Reason.LIKELIEST
            else:
                reason = Reason.BELOW_THRESHOLD if final == self.keep else Reason.ABOVE_THRESHOLD
            verdicts.append((int(final), reason))
        return verdicts


def decide(scores: Floats, thresholds: Sequence[float] | None, keep: int) -> Ints:
    """Choose the likeliest label among those that reach their threshold, else ``keep``.

    Args:
        scores: ``(paragraphs, labels)`` probabilities.
        thresholds: least probability per label; that of ``keep`` is not looked at. None: the
            likeliest label, whichever it is.
        keep: index of the label that a doubtful paragraph falls back to.

    Returns:
        ``(paragraphs,)`` label indices.
    """
    if thresholds is None:
        best: Ints = scores.argmax(axis=1)
        return best
    least = np.asarray(thresholds, np.float64)
    allowed = scores >= least
    allowed[:, keep] = False
    # Where an appeal reaches its threshold it wins, although content may be likelier still: the
    # threshold, not the argmax, is what was tuned.
    masked = np.where(allowed, scores, -1.0)
    best = masked.argmax(axis=1)
    return np.where(allowed.any(axis=1), best, keep)
