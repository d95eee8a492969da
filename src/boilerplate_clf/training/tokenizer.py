"""The German WordPiece tokenizer: training it, and loading anybody's for training."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, trainers
from tokenizers.models import WordPiece

from boilerplate_clf.errors import TrainingError
from boilerplate_clf.text import INVISIBLE

PAD, UNK, CLS, SEP, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
PAR = "[PAR]"
"""Marker in front of every paragraph: the classifier reads the label off its vector."""

SPECIAL_TOKENS = (PAD, UNK, CLS, SEP, MASK, PAR)


def _normalizer() -> normalizers.Normalizer:
    """Spellings that mean the same become the same; case and umlauts stay.

    All digits become ``0``: a price or an IBAN is recognised by its shape, and no vocabulary or
    training example is spent on its value.
    """
    return normalizers.Sequence(
        [
            normalizers.NFC(),
            # soft hyphen, zero-width characters, bidi controls, BOM
            normalizers.Replace(Regex(f"[{INVISIBLE}]"), ""),
            normalizers.Replace(Regex("[„“”‟«»]"), '"'),
            normalizers.Replace(Regex("[‚‘’‛‹›´`]"), "'"),
            normalizers.Replace(Regex("[‐‑‒–—―−]"), "-"),
            normalizers.Replace("…", "..."),
            normalizers.Replace(Regex("[0-9]"), "0"),
            normalizers.BertNormalizer(
                clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False
            ),
        ]
    )


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Train a cased WordPiece tokenizer on ``texts`` (Schuster & Nakajima 2012; BERT's variant).

    Args:
        texts: paragraphs; consumed once.
        vocab_size: number of pieces, special tokens included.

    Returns:
        A tokenizer without post-processor: windows are put together by
        :mod:`boilerplate_clf.inference.windows`.
    """
    tokenizer = Tokenizer(WordPiece(unk_token=UNK, max_input_chars_per_word=64))
    tokenizer.normalizer = _normalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size,
        min_frequency=3,
        limit_alphabet=250,
        special_tokens=list(SPECIAL_TOKENS),
        continuing_subword_prefix="##",
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def token_id(tokenizer: Tokenizer, token: str) -> int:
    """Return the id of a special token.

    Raises:
        TrainingError: the tokenizer does not have it.
    """
    found = tokenizer.token_to_id(token)
    if found is None:
        raise TrainingError(f"the tokenizer has no token {token}")
    return found


def load_tokenizer(path: Path) -> Tokenizer:
    """Load ``tokenizer.json`` so that literal special tokens in a text stay plain text.

    Without ``encode_special_tokens`` a scraped "[SEP]" or "[PAR]" would become the special token
    and forge a slot for a label.
    """
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.encode_special_tokens = True
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
