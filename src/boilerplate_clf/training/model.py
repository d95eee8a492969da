"""The network: an encoder and one row of scores per paragraph marker."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn
from transformers import PreTrainedModel

_HASH_A, _HASH_B = 40503, 2654435  # odd constants of multiplicative hashing, far from each other


class ParagraphClassifier(nn.Module):
    """Deep scores from the encoder plus wide scores from word pieces and their pairs.

    Deep: the marker's vector (Cohan et al. 2019) beside the mean vector of its paragraph, through
    one hidden layer. Wide (Cheng et al. 2016): a linear model over pieces and hashed pairs of
    pieces, which on little data is as strong as the encoder and errs elsewhere.

    Args:
        encoder: any BERT-like model with ``config.hidden_size``.
        labels: number of labels.
        marker_id: token id of the paragraph marker.
        pad_id: token id of padding.
        wide_buckets: size of the hash table for pairs; 0 leaves the wide part out.
        dropout: before the hidden layer.
    """

    def __init__(
        self,
        encoder: PreTrainedModel,
        labels: int,
        marker_id: int,
        pad_id: int,
        wide_buckets: int = 2**16,
        dropout: float = 0.1,
    ) -> None:
        """Build the head on ``encoder``."""
        super().__init__()
        self.encoder = encoder
        self.marker_id, self.pad_id, self.wide_buckets = marker_id, pad_id, wide_buckets
        size = encoder.config.hidden_size
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Linear(2 * size, size)
        self.output = nn.Linear(size, labels)
        if wide_buckets:
            self.pieces = nn.Embedding(encoder.config.vocab_size, labels)
            self.pairs = nn.Embedding(wide_buckets, labels)
            nn.init.zeros_(self.pieces.weight)
            nn.init.zeros_(self.pairs.weight)

    def forward(self, input_ids: torch.Tensor, markers: torch.Tensor) -> torch.Tensor:
        """Return logits ``(B, P, labels)``.

        Args:
            input_ids: ``(B, T)`` int64, padded with ``pad_id``.
            markers: ``(B, P)`` int64 positions of the paragraph markers; rows with fewer
                paragraphs are padded with 0 and their surplus scores mean nothing.
        """
        visible = input_ids != self.pad_id
        vectors = self.encoder(input_ids=input_ids, attention_mask=visible.to(torch.int64)).last_hidden_state
        owner = torch.cumsum((input_ids == self.marker_id).to(torch.int64), dim=1)
        numbers = torch.arange(1, markers.shape[1] + 1, device=input_ids.device)
        inside = (owner.unsqueeze(1) == numbers.view(1, -1, 1)) & visible.unsqueeze(1)
        weights = inside.to(vectors.dtype)  # (B, P, T)
        count = weights.sum(dim=2, keepdim=True).clamp(min=1.0)
        mean = torch.matmul(weights, vectors) / count
        index = markers.unsqueeze(2).expand(-1, -1, vectors.shape[2])
        marked = torch.gather(vectors, 1, index)
        deep = self.hidden(self.dropout(torch.cat([marked, mean], dim=2)))
        logits = self.output(self.dropout(nn.functional.gelu(deep)))
        if self.wide_buckets:
            following = torch.cat([input_ids[:, 1:], torch.zeros_like(input_ids[:, :1])], dim=1)
            bucket = (input_ids * _HASH_A + following * _HASH_B) % self.wide_buckets
            evidence = self.pieces(input_ids) + self.pairs(bucket)
            logits = logits + torch.matmul(weights, evidence) / count.sqrt()
        return cast(torch.Tensor, logits)
