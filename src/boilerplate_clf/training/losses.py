"""What fine-tuning minimises, with the options that training/README.md compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

IGNORE = -100
"""Label index of paragraphs of which nothing is asked."""


@dataclass(frozen=True)
class LossConfig:
    """Cross-entropy and what may be added to it; 0 leaves a term out."""

    label_smoothing: float = 0.02
    focal_gamma: float = 0.0
    """Exponent of (1 - probability of the true label), which plays sure cases down (Lin et al. 2017)."""
    class_weight_power: float = 0.0
    """Labels weigh (most frequent label's count / own count) to this power; 1 balances them fully."""
    rdrop: float = 0.0
    """Weight of the divergence between two passes with different dropout (Wu et al. 2021); the second
    pass doubles the time."""


def class_weights(counts: Sequence[int], power: float) -> torch.Tensor:
    """Return a weight per label, ``(labels,)``, 1 for the most frequent."""
    values = torch.tensor(counts, dtype=torch.float32).clamp(min=1.0)
    return (values.max() / values) ** power


def classification_loss(
    logits: torch.Tensor, gold: torch.Tensor, config: LossConfig, weights: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the mean loss of the paragraphs whose label is asked.

    Args:
        logits: ``(N, labels)``.
        gold: ``(N,)`` label indices, :data:`IGNORE` where nothing is asked.
        config: terms.
        weights: per label, from :func:`class_weights`.
    """
    if not config.focal_gamma:
        return nn.functional.cross_entropy(
            logits, gold, weights, ignore_index=IGNORE, label_smoothing=config.label_smoothing
        )
    each = nn.functional.cross_entropy(
        logits,
        gold,
        weights,
        ignore_index=IGNORE,
        label_smoothing=config.label_smoothing,
        reduction="none",
    )
    asked = gold != IGNORE
    true = logits.softmax(dim=1).gather(1, gold.clamp(min=0).unsqueeze(1)).squeeze(1)
    focused = each * (1 - true) ** config.focal_gamma
    return focused[asked].sum() / asked.sum().clamp(min=1)


def divergence(first: torch.Tensor, second: torch.Tensor, gold: torch.Tensor) -> torch.Tensor:
    """Return the symmetric Kullback-Leibler divergence of two passes' ``(N, labels)`` logits."""
    asked = gold != IGNORE
    one, two = first[asked].log_softmax(dim=1), second[asked].log_softmax(dim=1)
    forward = nn.functional.kl_div(one, two, reduction="batchmean", log_target=True)
    backward = nn.functional.kl_div(two, one, reduction="batchmean", log_target=True)
    return (forward + backward) / 2
