"""The pre-trained encoder as a thing of its own: what retraining can start from, offline."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from transformers import ModernBertForMaskedLM, PreTrainedTokenizerFast

from boilerplate_clf.bundle.manifest import CARD, TOKENIZER
from boilerplate_clf.files import atomic_write
from boilerplate_clf.training.tokenizer import CLS, MASK, PAD, SEP, UNK

ENCODER = "encoder"
"""Folder of the encoder in a run folder."""


def save_encoder(run: Path, name: str, version: str, record: dict[str, Any]) -> None:
    """Write the run's encoder as a ``transformers`` checkpoint with tokenizer and card.

    The masked-LM head is part of it, so that pre-training can go on from it. Weights are stored as
    float16, which halves the file and changes no score in the third decimal.

    Args:
        run: the run folder, with the stages ``tokenizer`` and ``pretrain`` done.
        name: of the model.
        version: of the model.
        record: of the stage ``pretrain``.
    """
    folder = run / ENCODER
    shutil.rmtree(folder, ignore_errors=True)
    model: Any = ModernBertForMaskedLM.from_pretrained(str(run / "pretrain"), use_safetensors=True)
    model.half().save_pretrained(folder)
    make_tokenizer: Any = PreTrainedTokenizerFast
    make_tokenizer(
        tokenizer_file=str(run / "tokenizer" / TOKENIZER),
        pad_token=PAD,
        unk_token=UNK,
        cls_token=CLS,
        sep_token=SEP,
        mask_token=MASK,
    ).save_pretrained(folder)
    for path in folder.iterdir():
        path.chmod(0o644)  # safetensors writes private files
    with atomic_write(folder / CARD) as stream:
        stream.write(_card(name, version, record).encode())


def _card(name: str, version: str, record: dict[str, Any]) -> str:
    index, schedule = record["shards"], record["config"]["schedule"]
    total = sum(source["tokens"] * source["weight"] for source in index["sources"].values())
    rows = [
        f"| {source} | {facts['tokens'] / 1e6:.2f} M | {facts['tokens'] * facts['weight'] / total:.1%} "
        f"| `{facts['sha256'][:12]}` |"
        for source, facts in index["sources"].items()
    ]
    before = record.get("started_from")
    start = (
        f"It went on from an encoder that had seen {before['tokens'] / 1e6:.1f} M tokens (held-out loss "
        f"{before['held_out_loss']:.3f}). "
        if before
        else ""
    )
    run = record["config"]
    recipe = (
        f"Masked language model, {run['mask_rate']:.0%} of the pieces masked; {record['tokens'] / 1e6:.1f} M "
        f"tokens in {record['steps']:,} steps of {run['batch_tokens']:,}, learning rate "
        f"{schedule['learning_rate']:g} with warm-up and linear decay, {record['minutes']} minutes on "
        f"{record['hardware']}, {record['date']}. {start}Held-out loss {record['held_out_loss']:.3f} "
        "(documents that it never saw)."
    )
    return f"""# {name}-encoder {version}

Written by `boilerplate-clf pipeline card`; do not edit.

A small German ModernBERT (`transformers.ModernBertForMaskedLM`, float16) with its own cased WordPiece
vocabulary of {index["vocab_size"]:,}: the encoder from which {name} was fine-tuned. Start from it with
`base:` in a configuration of the pipeline, or with `AutoModel.from_pretrained`.

Not a general language model: it has read little, most of it news, web pages and blogs. `[PAR]` marks the
beginning of each paragraph; digits are read as 0.

## Pre-training

{recipe}

| source | tokens | share of what was drawn | SHA-256 |
|---|---|---|---|
{chr(10).join(rows)}

Sources and licences: docs/licences.md of boilerplate_clf. Some texts were used for text and data mining
only; the weights are published, the texts are not. Apache-2.0.
"""
