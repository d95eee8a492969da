"""Replaced-token detection (ELECTRA, Clark et al. 2020), going on from a masked language model."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn
from transformers import ModernBertForMaskedLM


class ReplacedTokenDetection(nn.Module):
    """The encoder says of every piece whether a generator put it there.

    The generator is the masked language model as it was at the start, frozen: it costs a forward pass
    and cannot run away from a discriminator that has little time. The encoder's own masked-LM head
    stays as it was.

    Args:
        model: what is trained on; its parameters are shared.
    """

    def __init__(self, model: ModernBertForMaskedLM) -> None:
        """Copy the generator, add the head."""
        super().__init__()
        self.encoder: Any = model
        size = model.config.hidden_size
        self.head = nn.Sequential(nn.Linear(size, size), nn.GELU(), nn.Linear(size, 1))
        frozen: Any = copy.deepcopy(model).requires_grad_(False)
        frozen.eval()
        # In a list, so that it is neither trained nor written into checkpoints.
        self._generator: list[Any] = [frozen]

    def forward(self, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the mean binary loss over all positions.

        Args:
            ids: ``(B, T)`` masked pieces.
            labels: ``(B, T)`` the original piece at masked positions, -1 elsewhere.
        """
        chosen = labels >= 0
        with torch.no_grad():
            (generator,) = self._generator
            hidden = generator.to(ids.device).model(input_ids=ids).last_hidden_state[chosen]
            scores = generator.decoder(generator.head(hidden)).float()
            drawn = torch.multinomial(scores.softmax(dim=1), 1).squeeze(1)
        filled = ids.masked_scatter(chosen, drawn)
        replaced = chosen & (filled != labels)
        vectors = self.encoder.model(input_ids=filled).last_hidden_state
        logits = self.head(vectors).squeeze(2).float()
        return nn.functional.binary_cross_entropy_with_logits(logits, replaced.float())
