"""Paragraphs and their offsets."""

from boilerplate_clf.text.paragraphs import INVISIBLE, Span, split_paragraphs, trim

__all__ = ["INVISIBLE", "Span", "split_paragraphs", "trim"]
