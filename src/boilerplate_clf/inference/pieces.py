"""From texts to the encoder's word pieces."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property

from tokenizers import Tokenizer

_WORD = re.compile(r"[^\W\d_]+")
_LEAST_WORDS = 2
"""A single word in capitals is as likely a name ("ARD") as it is shouted."""


class Pieces:
    """A tokenizer that takes whatever a page says for plain text.

    A literal "[SEP]" stays text, or it would forge a slot for a label. A paragraph all in capitals, which a
    cased vocabulary has hardly a piece for, is read as the vocabulary spells its words (truecasing; Lita
    et al. 2003).

    Args:
        tokenizer: is changed: neither pads nor truncates any more.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Take the tokenizer over."""
        tokenizer.encode_special_tokens = True
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._tokenizer = tokenizer

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text, without special tokens."""
        if not texts:
            return []
        texts = [self._truecased(text) if text.isupper() else text for text in texts]
        return [found.ids for found in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)]

    @cached_property
    def _vocabulary(self) -> Mapping[str, int]:
        vocabulary: dict[str, int] = self._tokenizer.get_vocab()
        return vocabulary

    def _truecased(self, text: str) -> str:
        words = _WORD.findall(text)
        if sum(len(word) > 1 for word in words) < _LEAST_WORDS:
            return text
        spelt = {word: self._spelt(word) for word in set(words)}
        written = _WORD.sub(lambda match: spelt[match.group()], text)
        first = _WORD.search(written)
        at = first.start() if first else 0
        return written[:at] + written[at : at + 1].upper() + written[at + 1 :]

    def _spelt(self, word: str) -> str:
        """Return that spelling, small or with a capital, of which the vocabulary has more."""
        small = word.lower()
        capital = small.capitalize()
        for length in range(len(small), 1, -1):
            for spelling in (small, capital):
                if spelling[:length] in self._vocabulary:
                    return spelling
        return small
