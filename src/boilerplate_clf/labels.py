"""The labels of the shipped model. Custom models bring their own strings in ``bundle.json``."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum


class Name(str, Enum):
    """An enum whose members are strings and print as such."""

    def __str__(self) -> str:
        """Return the plain value, also in f-strings and on Python 3.10."""
        return str(self.value)


class Label(Name):
    """What a paragraph is. Members are strings: ``Label.CONTENT == "content"``."""

    CONTENT = "content"
    """Everything that is not clearly one of the others: article text, teasers, navigation."""
    SUBSCRIPTION_APPEAL = "subscription_appeal"
    """Asks to subscribe, register or log in to read on, or advertises such an offer."""
    DONATION_REQUEST = "donation_request"
    """Asks for money for the publisher without which the text would still be readable."""
    COMMENT_POLICY = "comment_policy"
    """Tells readers the rules, state or way of commenting."""


CONTENT = Label.CONTENT.value
"""The label that is kept by ``clean`` and that a doubtful paragraph falls back to."""

LABELS: tuple[str, ...] = tuple(label.value for label in Label)

UNDECIDED = "?"
"""Gold label of paragraphs that cannot be decided: left out of training and of every figure."""

_MEMBERS: Mapping[str, Label] = {label.value: label for label in Label}


def as_label(name: str) -> str:
    """Return the :class:`Label` member called ``name``, or ``name`` itself for a custom label."""
    return _MEMBERS.get(name, name)
