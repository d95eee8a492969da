"""Paragraphs and their offsets."""

from boilerplate_clf.text.paragraphs import Span, split_paragraphs, trim

__all__ = ["Span", "split_paragraphs", "trim"]
