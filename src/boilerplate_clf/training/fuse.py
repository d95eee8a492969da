"""A ModernBERT as onnxruntime runs it fastest: the same weights and the same scores, fewer steps.

One matrix that makes queries, keys and values at once, and one for both halves of the gated feed-forward
layer, are good on a GPU. On a CPU their products must be copied apart again, which costs more than
multiplying by each part alone; and attention written out step by step holds every intermediate result
in memory. ``com.microsoft`` operators do it in one (onnxruntime, docs/ContribOperators.md).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers.models.modernbert.modeling_modernbert import ModernBertAttention, ModernBertMLP


def fuse(model: nn.Module) -> int:
    """Replace attention and feed-forward layers for export, in place; the model can then be exported only.

    Attention over a window of neighbours only (``sliding_attention``) stays as it is. What is fused sees
    no mask: sequences must not be padded.

    Args:
        model: holds a ModernBERT; of other encoders nothing is replaced.

    Returns:
        Number of layers that were replaced.
    """
    found = 0
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            fused: nn.Module
            if isinstance(layer, ModernBertAttention) and layer.sliding_window is None:
                fused = _Attention(layer)
            elif isinstance(layer, ModernBertMLP):
                fused = _Gated(layer)
            else:
                continue
            setattr(parent, name, fused.train(layer.training))
            found += 1
    return found


class _Attention(nn.Module):
    """Attention of a whole, unpadded sequence."""

    def __init__(self, layer: ModernBertAttention) -> None:
        super().__init__()
        self.query, self.key, self.value = _parts(layer.Wqkv, 3)
        self.output = layer.Wo
        self.heads = layer.config.num_attention_heads

    def forward(
        self, hidden_states: torch.Tensor, position_embeddings: tuple[torch.Tensor, torch.Tensor], **_: Any
    ) -> tuple[torch.Tensor, None]:
        # Each angle stands twice, for both halves of a head; the operator wants it once.
        tables = [part[0, :, : part.shape[-1] // 2] for part in position_embeddings]
        start = torch.zeros(1, dtype=torch.int64)
        turned = [
            _operator("RotaryEmbedding", (part, start, *tables), self.heads)
            for part in (self.query(hidden_states), self.key(hidden_states))
        ]
        seen = _operator("MultiHeadAttention", (*turned, self.value(hidden_states)), self.heads)
        return self.output(seen), None


class _Gated(nn.Module):
    """Both halves of a gated feed-forward layer, each by itself."""

    def __init__(self, layer: ModernBertMLP) -> None:
        super().__init__()
        self.inner, self.gate = _parts(layer.Wi, 2)
        self.activation, self.output = layer.act, layer.Wo

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        product: torch.Tensor = self.activation(self.inner(hidden_states)) * self.gate(hidden_states)
        output: torch.Tensor = self.output(product)
        return output


def _operator(name: str, inputs: tuple[torch.Tensor, ...], heads: int) -> torch.Tensor:
    """Return what an operator of onnxruntime makes of ``inputs``, in the shape of the first."""
    first = inputs[0]
    return torch.onnx.ops.symbolic(
        f"com.microsoft::{name}",
        inputs,
        {"num_heads": heads},
        dtype=first.dtype,
        shape=first.shape,
        version=1,
    )


def _parts(layer: nn.Linear, count: int) -> list[nn.Linear]:
    """Return the layers that make an equal share each of what ``layer`` makes."""
    size = layer.out_features // count
    parts = []
    for number in range(count):
        part = nn.Linear(layer.in_features, size, bias=layer.bias is not None)
        rows = slice(number * size, (number + 1) * size)
        part.weight = nn.Parameter(layer.weight[rows].detach().clone())
        if layer.bias is not None:
            part.bias = nn.Parameter(layer.bias[rows].detach().clone())
        parts.append(part)
    return parts
