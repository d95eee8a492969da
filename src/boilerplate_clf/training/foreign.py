"""Taking a checkpoint that somebody else trained, from a folder or a hub."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoModel, AutoTokenizer

from boilerplate_clf.bundle.manifest import TOKENIZER
from boilerplate_clf.errors import TrainingError


def foreign_base(base: str, tokenizer_folder: Path, encoder_folder: Path) -> None:
    """Save the checkpoint's fast tokenizer and its encoder (safetensors) into the run folder.

    Args:
        base: a local folder or a hub id such as ``deepset/gbert-base``.
        tokenizer_folder: gets ``tokenizer.json``.
        encoder_folder: gets a ``transformers`` checkpoint.

    Raises:
        TrainingError: it cannot be loaded, or its tokenizer is not a fast BERT-like one.
    """
    try:
        tokenizer = AutoTokenizer.from_pretrained(base, trust_remote_code=False)
        encoder = AutoModel.from_pretrained(
            base, trust_remote_code=False, use_safetensors=True, dtype=torch.float32
        )
    except (OSError, ValueError) as error:
        raise TrainingError(f"base {base!r} cannot be loaded: {str(error).splitlines()[0]}") from error
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or any(backend.token_to_id(t) is None for t in ("[CLS]", "[SEP]", "[PAD]")):
        raise TrainingError(f"base {base!r}: needs a fast tokenizer with [CLS], [SEP] and [PAD]")
    backend.no_padding()
    backend.no_truncation()
    tokenizer_folder.mkdir(parents=True, exist_ok=True)
    backend.save(str(tokenizer_folder / TOKENIZER))
    encoder.save_pretrained(encoder_folder)
