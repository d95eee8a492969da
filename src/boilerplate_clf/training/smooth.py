"""Making activations easier to quantise, without changing what the model computes.

The feed-forward layers of ModernBERT multiply two halves (GLU, Shazeer 2020); a few channels of the
product are far larger than the others, and one int8 scale for all of them leaves the others little
precision. SmoothQuant (Xiao et al. 2023) moves that size into the weights that follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

_BALANCE = 0.7
"""How much of a channel's size goes into the weights: SmoothQuant's alpha. 0.7 was better than 0.5."""


def smooth(model: nn.Module, inputs: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> int:
    """Balance the channels between the two matrices of each gated feed-forward layer, in place.

    Args:
        model: in evaluation mode.
        inputs: arguments of the model, typical ones, on which the channels are measured.

    Returns:
        Number of layers that were changed; 0 for encoders without gated layers.
    """
    layers: list[Any] = [m for m in model.modules() if hasattr(m, "Wi") and hasattr(m, "Wo") and _gated(m)]
    largest = [torch.zeros(layer.Wo.in_features) for layer in layers]

    def watch(number: int) -> Any:
        def hook(_: nn.Module, arguments: tuple[torch.Tensor, ...]) -> None:
            found = arguments[0].detach().abs().flatten(0, -2).amax(dim=0)
            largest[number] = torch.maximum(largest[number], found)

        return hook

    hooks = [layer.Wo.register_forward_pre_hook(watch(i)) for i, layer in enumerate(layers)]
    with torch.no_grad():
        for arguments in inputs:
            model(*arguments)
        for hook in hooks:
            hook.remove()
        for layer, size in zip(layers, largest, strict=True):
            weight = layer.Wo.weight.abs().amax(dim=0)
            scale = (size.clamp(min=1e-4) ** _BALANCE / weight.clamp(min=1e-4) ** (1 - _BALANCE)).clamp(
                min=1e-3
            )
            # The second half is the gate, which is linear: what divides it can multiply Wo.
            layer.Wi.weight[layer.Wo.in_features :] /= scale.unsqueeze(1)
            if layer.Wi.bias is not None:
                layer.Wi.bias[layer.Wo.in_features :] /= scale
            layer.Wo.weight *= scale
    return len(layers)


def _gated(layer: Any) -> bool:
    return bool(layer.Wi.out_features == 2 * layer.Wo.in_features)
