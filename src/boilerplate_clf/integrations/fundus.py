"""After Fundus: an article's body keeps its sections."""

from __future__ import annotations

from collections.abc import Iterator

from fundus.parser.data import ArticleBody, ArticleSection, TextSequence

from boilerplate_clf.inference.classifier import Classifier


def clean_body(body: ArticleBody, classifier: Classifier) -> ArticleBody:
    """Return a body without its appeals; sections of which nothing is left are dropped.

    Summary, headlines and paragraphs are judged together, as they stand on the page.
    """
    texts = [*body.summary]
    for section in body.sections:
        texts += [*section.headline, *section.paragraphs]
    document = classifier.predict(texts)
    kept = iter([p.label == document.keep_label for p in document])
    summary = _kept(body.summary, kept)
    sections = [
        ArticleSection(headline=_kept(s.headline, kept), paragraphs=_kept(s.paragraphs, kept))
        for s in body.sections
    ]
    return ArticleBody(
        summary=summary, sections=[s for s in sections if len(s.headline) or len(s.paragraphs)]
    )


def _kept(texts: TextSequence, kept: Iterator[bool]) -> TextSequence:
    return TextSequence(text for text in texts if next(kept))
