"""After newspaper4k."""

from __future__ import annotations

from newspaper import Article

from boilerplate_clf.inference.classifier import Classifier


def clean_article(article: Article, classifier: Classifier) -> Article:
    """Take the appeals out of a parsed article's ``text``, in place, and return it."""
    article.text = classifier.clean(article.text)
    return article
