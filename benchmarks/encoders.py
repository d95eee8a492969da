"""Small pre-trainings that differ in one thing, for a comparison by their fine-tuned score.

    python benchmarks/encoders.py --runs runs/encoders --minutes 5 [--only NAME ...] [--part I N]
    python benchmarks/encoders.py --runs runs/mixtures --go-on runs/shipped
    python benchmarks/encoders.py --runs runs/encoders --untrained runs/shipped
    python benchmarks/methods.py --encoder "vocabulary 8k" runs/encoders/vocabulary-8k ...

Each variant gets the same wall time on one thread, from raw text to a run folder that `methods.py`
fine-tunes. From scratch the text is a part of the corpus of the configuration, what weighs at least 1
there; with --go-on it is all of it, and encoder and tokenizer are those of a run. Printed are held-out
loss per token and bits per character, which vocabularies of any size share. With --untrained the shipped
encoder's shape and tokenizer are taken, with random weights.
"""

from __future__ import annotations

import argparse
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from boilerplate_clf.training.config import PipelineConfig, load_config
from boilerplate_clf.training.loop import Schedule, seed_everything
from boilerplate_clf.training.pipeline import Pipeline
from boilerplate_clf.training.pretrain import EncoderConfig, make_encoder
from boilerplate_clf.training.runs import read_stage
from boilerplate_clf.training.tokenizer import SPECIAL_TOKENS, load_tokenizer

Change = Callable[[PipelineConfig], PipelineConfig]


def _vocabulary(size: int) -> Change:
    return lambda config: replace(config, tokenizer=replace(config.tokenizer, vocab_size=size))


def _masks(rate: float) -> Change:
    return lambda config: replace(config, pretrain=replace(config.pretrain, mask_rate=rate))


def _by_size(config: PipelineConfig) -> PipelineConfig:
    return replace(config, corpus=tuple(replace(source, weight=1.0) for source in config.corpus))


VARIANTS: dict[str, Change] = {
    "vocabulary-8k": _vocabulary(8_192),
    "vocabulary-16k": _vocabulary(16_384),
    "vocabulary-24k": _vocabulary(24_576),
    "no-skip-gram": lambda config: replace(config, embeddings=replace(config.embeddings, tokens=0)),
    "masks-15": _masks(0.15),
    "masks-40": _masks(0.40),
}
"""From scratch."""

MIXTURES: dict[str, Change] = {"text-as-configured": lambda config: config, "text-by-size": _by_size}
"""From an encoder that has been pre-trained."""


def write_untrained(shipped: Path, run: Path) -> None:
    """Write a run folder with the tokenizer of another and an encoder that has read nothing."""
    seed_everything(0)
    record = read_stage(shipped / "pretrain") or {}
    shutil.copytree(shipped / "tokenizer", run / "tokenizer", dirs_exist_ok=True)
    shape = EncoderConfig(**record["config"]["encoder"])
    make_encoder(shape, record["shards"]["vocab_size"]).save_pretrained(run / "pretrain")


def characters_per_token(run: Path) -> float:
    """Return the mean length of the held-out documents' pieces."""
    tokenizer = load_tokenizer(run / "tokenizer" / "tokenizer.json")
    ids = np.load(run / "shards" / "held-out.npy", allow_pickle=False)
    plain = ids[ids >= len(SPECIAL_TOKENS)].tolist()
    # Continuation marks are no characters; a blank stands before every other piece.
    pieces = [tokenizer.id_to_token(i) for i in plain]
    return sum(len(p) - 2 if p.startswith("##") else len(p) + 1 for p in pieces) / len(pieces)


def main() -> None:
    """Pre-train what is missing; print one row per variant."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", type=Path, default=Path("configs/shipped.yaml"))
    parser.add_argument("--runs", type=Path, default=Path("runs/encoders"))
    parser.add_argument("--minutes", type=float, default=5.0, help="wall time of each pre-training")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="some of the variants")
    parser.add_argument("--part", type=int, nargs=2, default=(0, 1), metavar=("I", "N"), help="I of N")
    parser.add_argument("--untrained", type=Path, metavar="RUN", help="only write RUN's encoder untrained")
    parser.add_argument("--go-on", type=Path, metavar="RUN", help="from RUN's encoder, not from scratch")
    arguments = parser.parse_args()
    if arguments.untrained is not None:
        write_untrained(arguments.untrained, arguments.runs / "untrained")
        return
    variants = VARIANTS if arguments.go_on is None else MIXTURES
    names = arguments.only or list(variants)
    if unknown := set(names) - set(variants):
        parser.error(f"no such variant: {', '.join(sorted(unknown))}: one of {', '.join(variants)}")
    torch.set_num_threads(1)
    config = load_config(arguments.config)
    rate = 2e-3 if arguments.go_on is None else 5e-4
    schedule = Schedule(learning_rate=rate, max_steps=10**6, max_minutes=arguments.minutes)
    config = replace(
        config,
        teacher=arguments.go_on,
        pretrain=replace(config.pretrain, schedule=schedule, sequence_lengths=(128,)),
    )
    if arguments.go_on is None:
        config = replace(
            config,
            corpus=tuple(source for source in config.corpus if source.weight >= 1),
            tokenizer=replace(config.tokenizer, sample_megabytes=20.0),
            embeddings=replace(config.embeddings, tokens=3_000_000, workers=1),
        )
    index, parts = arguments.part
    for name in names[index::parts]:
        run = arguments.runs / name
        pipeline = Pipeline(variants[name](config), run)
        pipeline.tokenizer()
        pipeline.pretrain()
        record = read_stage(run / "pretrain") or {}
        loss, length = record["held_out_loss"], characters_per_token(run)
        print(
            f"{name}: {record['tokens'] / 1e6:.2f} M tokens, {length:.2f} characters a token, held-out loss "
            f"{loss:.3f}, {loss / math.log(2) / length:.3f} bits a masked character",
            flush=True,
        )


if __name__ == "__main__":
    main()
