"""Masked-language-model pre-training of the small encoder.

Needs torch, transformers and numpy only: shards and tokenizer are made beforehand, so that it
runs on any rented machine::

    python -m boilerplate_clf.training.pretrain CONFIG.json SHARDS OUTPUT [EMBEDDINGS.npy | ENCODER]
    torchrun --nproc-per-node 2 -m boilerplate_clf.training.pretrain ...

Several processes draw different text and share their gradients: a step is then as many times larger.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import ModernBertConfig, ModernBertForMaskedLM

from boilerplate_clf.labels import Name
from boilerplate_clf.training.loop import (
    Schedule,
    State,
    Trainer,
    pick_device,
    process_rank,
    seed_everything,
)
from boilerplate_clf.training.rtd import ReplacedTokenDetection
from boilerplate_clf.training.runs import finish_stage, read_stage
from boilerplate_clf.training.shards import ShardSampler
from boilerplate_clf.training.tokenizer import CLS, MASK, PAD, SEP, SPECIAL_TOKENS


def _id(token: str) -> int:
    return SPECIAL_TOKENS.index(token)


class Objective(Name):
    """What pre-training learns from."""

    MASKED_LM = "masked-lm"
    REPLACED_TOKENS = "replaced-tokens"
    """Needs a start that has been pre-trained as a masked language model."""


@dataclass(frozen=True)
class EncoderConfig:
    """Shape of the encoder."""

    hidden_size: int = 256
    layers: int = 4
    heads: int = 4
    intermediate_size: int = 704
    """Of each half of the gated feed-forward layer: two thirds of a plain one's 4 x width."""
    max_positions: int = 1024


@dataclass(frozen=True)
class PretrainConfig:
    """Masked-LM pre-training."""

    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    schedule: Schedule = field(default_factory=lambda: Schedule(learning_rate=1e-3, max_steps=20_000))
    sequence_lengths: tuple[int, ...] = (128, 128, 256)
    """Taken in turn: short sequences are cheap, longer ones teach distances."""
    batch_tokens: int = 2048
    """Per step and process: many small steps beat few large ones when compute is short."""
    mask_rate: float = 0.25
    objective: Objective = Objective.MASKED_LM
    evaluate_every: int = 500
    seed: int = 0


def make_encoder(config: EncoderConfig, vocab_size: int) -> ModernBertForMaskedLM:
    """Build a randomly initialised ModernBERT (Warner et al. 2024) without dropout.

    Rotary positions and pre-normalisation leave the first plateau of masked-LM training many times
    sooner than BERT's learnt positions and post-normalisation (figures: training/README.md).
    All layers attend to the whole window, which is short.
    """
    return ModernBertForMaskedLM(
        ModernBertConfig(
            vocab_size=vocab_size,
            hidden_size=config.hidden_size,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            intermediate_size=config.intermediate_size,
            max_position_embeddings=config.max_positions,
            layer_types=["full_attention"] * config.layers,
            initializer_range=0.05,
            initializer_cutoff_factor=3.0,
            pad_token_id=_id(PAD),
            bos_token_id=_id(CLS),
            cls_token_id=_id(CLS),
            eos_token_id=_id(SEP),
            sep_token_id=_id(SEP),
        )
    )


class MaskedLanguageModel(nn.Module):
    """An encoder with a masked-LM head whose output layer runs on the masked positions only."""

    def __init__(self, model: ModernBertForMaskedLM) -> None:
        """Wrap ``model``; its parameters are shared."""
        super().__init__()
        self.encoder: Any = model

    def forward(self, ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the mean loss over positions where ``labels`` is not negative."""
        hidden = self.encoder.model(input_ids=ids).last_hidden_state
        chosen = labels >= 0
        scores = self.encoder.decoder(self.encoder.head(hidden[chosen]))
        return nn.functional.cross_entropy(scores.float(), labels[chosen])


def process_seed(seed: int, rank: int) -> int:
    """Return the seed of a process's draws: the run's own for the first, far from it for the others."""
    return seed + rank * 1_000_003


def mask_tokens(
    ids: torch.Tensor, rate: float, vocab_size: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Choose ``rate`` of the plain tokens: 80 % become [MASK], 10 % another piece, 10 % stay.

    Returns:
        Masked ids and labels, both of ``ids``' shape; labels are -1 where nothing is asked.
    """
    special = len(SPECIAL_TOKENS)
    draw = torch.rand(ids.shape, generator=generator)
    chosen = (draw < rate) & (ids >= special)
    labels = torch.where(chosen, ids, torch.full_like(ids, -1))
    kind = torch.rand(ids.shape, generator=generator)
    other = torch.randint(special, vocab_size, ids.shape, generator=generator)
    masked = torch.where(chosen & (kind < 0.8), torch.full_like(ids, _id(MASK)), ids)
    return torch.where(chosen & (kind >= 0.9), other, masked), labels


def pretrain(
    config: PretrainConfig,
    shards: Path,
    output: Path,
    embeddings: Path | None = None,
    start: Path | None = None,
) -> dict[str, Any]:
    """Pre-train, or go on with a killed run; leaves a ``transformers`` checkpoint in ``output``.

    Args:
        config: shape, schedule, masking.
        shards: what :func:`~boilerplate_clf.training.shards.build_shards` wrote.
        output: folder of the stage.
        embeddings: ``.npy`` with the start of the embeddings, ``(vocabulary, hidden)``.
        start: a checkpoint of this class to go on from, with a schedule of its own; its shape and
            embeddings replace those of ``config`` and ``embeddings``.

    Returns:
        The stage's record (``stage.json``) with the validation losses; empty in processes but the first.
    """
    if (record := read_stage(output)) is not None:
        return record
    seed_everything(config.seed)
    seed = process_seed(config.seed, process_rank())
    sampler = ShardSampler(shards, seed)
    vocab_size = sampler.index["vocab_size"]
    if start is not None:
        language_model = ModernBertForMaskedLM.from_pretrained(
            str(start), use_safetensors=True, dtype=torch.float32
        )
    else:
        language_model = make_encoder(config.encoder, vocab_size)
    if embeddings is not None and start is None:
        vectors = torch.from_numpy(np.load(embeddings, allow_pickle=False))
        embedding: Any = language_model.get_input_embeddings()
        embedding.weight.data.copy_(vectors)
    if pick_device().type == "cpu":
        # Fused attention is the slower one in training on a CPU: 15 % of a step with 128 tokens.
        language_model.set_attn_implementation("eager")
    objectives = {
        Objective.MASKED_LM: MaskedLanguageModel,
        Objective.REPLACED_TOKENS: ReplacedTokenDetection,
    }
    model = objectives[config.objective](language_model).to(pick_device())
    generator = torch.Generator().manual_seed(seed + 1)

    def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        while True:
            length = config.sequence_lengths[trainer.state.step % len(config.sequence_lengths)]
            ids = torch.from_numpy(sampler.draw(max(1, config.batch_tokens // length), length))
            yield mask_tokens(ids, config.mask_rate, vocab_size, generator)

    def loss_of(batch: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, int]:
        masked, labels = (part.to(trainer.device) for part in batch)
        return model(masked, labels), masked.numel()

    def data_state() -> dict[str, Any]:
        return {"sampler": json.dumps(sampler.rng.bit_generator.state), "masks": generator.get_state()}

    trainer = Trainer(model, config.schedule, output, loss_of, save_extra=data_state)
    saved = trainer.resume()
    if saved is not None and trainer.main:
        sampler.rng.bit_generator.state = json.loads(saved["sampler"])
        generator.set_state(saved["masks"].cpu())
    elif saved is not None:
        # The checkpoint has the first process's draws only.
        sampler.rng = np.random.default_rng(seed + trainer.state.step)
        generator.manual_seed(seed + 1 + trainer.state.step)
    held_out = _held_out_batches(sampler.held_out, config, vocab_size)
    losses: list[float] = []

    def evaluate(_: State) -> None:
        with torch.no_grad():
            losses.append(float(np.mean([float(loss_of(batch)[0]) for batch in held_out])))
        trainer.log(held_out_loss=round(losses[-1], 4))

    state = trainer.run(batches(), every=config.evaluate_every, on_step=evaluate, title="pretrain")
    evaluate(state)
    if not trainer.main:
        return {}
    language_model.save_pretrained(output)
    return finish_stage(
        output,
        asdict(config),
        processes=trainer.world,
        shards=sampler.index,
        skip_gram_start=embeddings is not None and start is None,
        started_from=_summary(start),
        steps=state.step,
        tokens=state.tokens,
        minutes=round(state.seconds / 60, 1),
        held_out_loss=losses[-1],
    )


def _summary(start: Path | None) -> dict[str, Any] | None:
    """Return what the record says of the pre-training that this one went on from."""
    record = read_stage(start) if start is not None else None
    if record is None:
        return None
    return {key: record[key] for key in ("tokens", "steps", "minutes", "held_out_loss", "date", "commit")}


def _held_out_batches(
    tokens: np.ndarray[Any, Any], config: PretrainConfig, vocab_size: int, rows: int = 256
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Cut the same ``rows`` sequences with the same masks for every evaluation."""
    length = config.sequence_lengths[0]
    usable = min(rows, len(tokens) // length)
    step = max(1, len(tokens) // length // max(1, usable)) * length
    ids = np.stack([tokens[i * step : i * step + length] for i in range(usable)]).astype(np.int64)
    generator = torch.Generator().manual_seed(0)
    masked, labels = mask_tokens(torch.from_numpy(ids), config.mask_rate, vocab_size, generator)
    return [(masked[i : i + 32], labels[i : i + 32]) for i in range(0, usable, 32)]


def main(arguments: list[str]) -> None:
    """Run from JSON alone, where neither YAML nor pydantic is installed."""
    config_path, shards, output, *rest = arguments
    values = json.loads(Path(config_path).read_text(encoding="utf-8"))
    encoder = EncoderConfig(**values.pop("encoder", {}))
    schedule = Schedule(**values.pop("schedule"))
    values["sequence_lengths"] = tuple(values["sequence_lengths"])
    config = PretrainConfig(encoder=encoder, schedule=schedule, **values)
    beginning = Path(rest[0]) if rest else None
    if beginning is not None and beginning.is_dir():
        pretrain(config, Path(shards), Path(output), start=beginning)
    else:
        pretrain(config, Path(shards), Path(output), beginning)


if __name__ == "__main__":
    main(sys.argv[1:])
