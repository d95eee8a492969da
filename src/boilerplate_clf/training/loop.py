"""The optimisation loop that pre-training and fine-tuning share.

It needs torch and tqdm only, runs on one CPU as on several GPUs (``torchrun``), and writes
checkpoints from which a killed run goes on.
"""

from __future__ import annotations

import math
import os
import random
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from boilerplate_clf.files import atomic_write
from boilerplate_clf.training.runs import append_jsonl

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Schedule:
    """How long to train and how fast."""

    learning_rate: float
    max_steps: int
    max_minutes: float = math.inf
    """Wall time after which the run is over: the rate then reaches zero by the clock."""
    warmup: float = 0.05
    """Share of the run in which the rate rises from zero."""
    decay: float = 1.0
    """Share of the run in which the rate falls to zero, at its end; all that is left after the warm-up
    at most, and 0 for a rate that does not fall. Between the two it stays as it is (warm-up, stable,
    decay: Hu et al. 2024, MiniCPM)."""
    weight_decay: float = 0.01
    clip: float = 1.0
    betas: tuple[float, float] = (0.9, 0.98)
    checkpoint_minutes: float = 5.0


@dataclass
class State:
    """Where a run stands; saved with each checkpoint."""

    step: int = 0
    seconds: float = 0.0
    tokens: int = 0
    best: float = math.inf
    extra: dict[str, Any] = field(default_factory=dict)


def seed_everything(seed: int) -> None:
    """Seed Python, numpy and torch."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def pick_device() -> torch.device:
    """Return this process's GPU where there is one, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device("cpu")


def process_rank() -> int:
    """Return which of ``torchrun``'s processes this is; 0 without it."""
    return int(os.environ.get("RANK", "0"))


def bf16_is_fast(device: torch.device) -> bool:
    """Return whether matrix products of bfloat16 are done in hardware: any GPU, and newer CPUs.

    Without such instructions a CPU has to imitate them.
    """
    if device.type != "cpu":
        return True
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16"))


def rate_factor(progress: float, warmup: float, decay: float = 1.0) -> float:
    """Linear warm-up, linear decay to zero in the last ``decay``; ``progress`` runs from 0 to 1."""
    if progress < warmup:
        return progress / warmup
    falling = min(decay, 1.0 - warmup)
    return min(1.0, max(0.0, 1.0 - progress) / falling) if falling else 1.0


def layer_depth(name: str) -> int:
    """Return a parameter's layer, counted from 1; 0 for embeddings, -1 above the layers."""
    number = re.search(r"layers?\.(\d+)\.", name)
    return int(number[1]) + 1 if number else 0 if "embedding" in name else -1


def make_optimizer(
    model: nn.Module, schedule: Schedule, *, head_factor: float = 1.0, layer_decay: float = 1.0
) -> torch.optim.Optimizer:
    """AdamW; no decay on biases and norms; ``head_factor`` times the rate outside ``encoder``.

    With a ``layer_decay`` below 1 a layer learns by that factor more slowly than the one above it.
    """
    groups: dict[tuple[bool, float], list[nn.Parameter]] = {}
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    top = max((layer_depth(name) for name, _ in trained), default=0)
    for name, parameter in trained:
        factor = head_factor
        if name.startswith("encoder."):
            depth = layer_depth(name)
            factor = layer_decay ** (0 if depth < 0 else top - depth + 1)
        groups.setdefault((parameter.ndim > 1, factor), []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": parameters,
                "weight_decay": schedule.weight_decay if decays else 0.0,
                "factor": factor,
            }
            for (decays, factor), parameters in groups.items()
        ],
        lr=schedule.learning_rate,
        betas=schedule.betas,
        fused=True,
    )


class Trainer:
    """Runs ``loss_of(batch)`` over ``batches`` under a schedule.

    Args:
        model: what is optimised; moved to the device by the caller.
        schedule: length and rates.
        folder: where checkpoints and ``log.jsonl`` go; None keeps nothing.
        loss_of: batch -> (loss, number of tokens); called under autocast where :func:`bf16_is_fast`.
        save_extra: state of the data source, stored in checkpoints and returned by ``resume``.
        head_factor: learning-rate factor of parameters outside ``encoder``.
        layer_decay: learning-rate factor from each layer of ``encoder`` to the one below it.
    """

    def __init__(
        self,
        model: nn.Module,
        schedule: Schedule,
        folder: Path | None,
        loss_of: Callable[[Any], tuple[torch.Tensor, int]],
        *,
        save_extra: Callable[[], dict[str, Any]] = dict,
        head_factor: float = 1.0,
        layer_decay: float = 1.0,
    ) -> None:
        """Prepare the optimizer; nothing runs yet."""
        self.model, self.schedule, self.folder, self.loss_of = model, schedule, folder, loss_of
        self.save_extra = save_extra
        self.optimizer = make_optimizer(model, schedule, head_factor=head_factor, layer_decay=layer_decay)
        self.state = State()
        self.device = next(model.parameters()).device
        self.bf16 = bf16_is_fast(self.device)
        self.world = int(os.environ.get("WORLD_SIZE", "1"))
        self.main = process_rank() == 0
        if self.world > 1 and not torch.distributed.is_initialized():
            torch.distributed.init_process_group("nccl" if self.device.type == "cuda" else "gloo")

    @property
    def progress(self) -> float:
        """Share of the run that is done, by steps or by the clock, whichever is further."""
        by_clock = self.state.seconds / 60 / self.schedule.max_minutes
        return max(self.state.step / self.schedule.max_steps, by_clock)

    def resume(self) -> dict[str, Any] | None:
        """Load the folder's checkpoint; return the data source's state, None if there is none."""
        if self.folder is None or not (path := self.folder / CHECKPOINT).exists():
            return None
        saved = torch.load(path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        torch.set_rng_state(saved["rng"].cpu())
        self.state = State(**saved["state"])
        return self.state.extra

    def save(self) -> None:
        """Write a checkpoint atomically (no pickled objects: it loads with ``weights_only``)."""
        if self.folder is None or not self.main:
            return
        self.state.extra = self.save_extra()
        with atomic_write(self.folder / CHECKPOINT) as stream:
            torch.save(
                {
                    "model": self.model.state_dict(),
                    "optimizer": self.optimizer.state_dict(),
                    "rng": torch.get_rng_state(),
                    "state": asdict(self.state),
                },
                stream,
            )

    def log(self, **values: Any) -> None:
        """Append a line to ``log.jsonl``."""
        if self.folder is not None and self.main:
            line = {"step": self.state.step, "minutes": round(self.state.seconds / 60, 2)}
            append_jsonl(self.folder / "log.jsonl", line | {"tokens": self.state.tokens} | values)

    def run(
        self,
        batches: Iterable[Any],
        *,
        every: int = 0,
        on_step: Callable[[State], None] | None = None,
        title: str = "training",
    ) -> State:
        """Train until the schedule is over; ``on_step`` is called each ``every`` steps."""
        state, schedule = self.state, self.schedule
        self.model.train()
        bar = tqdm(
            total=schedule.max_steps, initial=state.step, desc=title, unit="step", disable=not self.main
        )
        last, saved, average = time.monotonic(), time.monotonic(), 0.0
        for batch in batches:
            if self.progress >= 1.0:
                break
            factor = rate_factor(self.progress, schedule.warmup, schedule.decay)
            for group in self.optimizer.param_groups:
                group["lr"] = schedule.learning_rate * factor * group["factor"]
            with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.bf16):
                loss, tokens = self.loss_of(batch)
            loss.backward()  # type: ignore[no-untyped-call]
            now = time.monotonic()
            elapsed, last = self._share(now - last), now
            nn.utils.clip_grad_norm_(self.model.parameters(), schedule.clip)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            state.step, state.seconds = state.step + 1, state.seconds + elapsed
            state.tokens += tokens * self.world
            value = float(loss.detach())
            if not math.isfinite(value):
                raise FloatingPointError(f"loss is {value} at step {state.step}: lower the learning rate")
            average = value if not average else 0.98 * average + 0.02 * value
            bar.update()
            bar.set_postfix(loss=f"{average:.3f}", refresh=False)
            if every and state.step % every == 0:
                self.log(train_loss=round(average, 4))
                if on_step is not None:
                    self.model.eval()
                    on_step(state)
                    self.model.train()
                    last = time.monotonic()
            if now - saved > schedule.checkpoint_minutes * 60:
                self.save()
                saved = last = time.monotonic()
        bar.close()
        self.save()
        self.model.eval()
        return state

    def _share(self, seconds: float) -> float:
        """Average gradients over processes (data parallel; small models need no more).

        Returns:
            The mean of ``seconds``: all processes must see the same clock, or one of them stops while
            the others wait for its gradients.
        """
        if self.world == 1:
            return seconds
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        clock = torch.tensor([seconds], device=self.device)
        flat = torch.cat([*(gradient.flatten() for gradient in gradients), clock])
        torch.distributed.all_reduce(flat)
        flat /= self.world
        at = 0
        for gradient in gradients:
            gradient.copy_(flat[at : at + gradient.numel()].view_as(gradient))
            at += gradient.numel()
        return float(flat[-1])
