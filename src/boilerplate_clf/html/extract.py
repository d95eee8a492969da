"""The main text of an HTML page, by trafilatura (extra ``html``).

Its recall-oriented settings are taken: behind them the classifier removes what they let in, and over the
labelled pages they keep 9 % more of the articles' paragraphs (``benchmarks/leaks.py``; README).
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from boilerplate_clf.errors import InputError, InputTooLargeError
from boilerplate_clf.extras import require
from boilerplate_clf.limits import MAX_HTML_CHARS

_FREE = re.compile(
    r"""["']?isAccessibleForFree["']?\s*[:=]\s*["']?(?:https?://schema\.org/)?(true|false)""", re.I
)


@dataclass(frozen=True)
class Metadata:
    """What a page says about its article; None where it says nothing."""

    title: str | None = None
    """Of the article."""
    author: str | None = None
    """Who wrote it."""
    date: str | None = None
    """Of publication, ``YYYY-MM-DD``."""
    site: str | None = None
    """Name of the site."""
    url: str | None = None
    """Of the page."""
    accessible_for_free: bool | None = None
    """schema.org's ``isAccessibleForFree``; False as soon as a part of the article is not."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types; what is None is left out."""
        return {key: value for key, value in asdict(self).items() if value is not None}


def extract(html: str | bytes, url: str | None = None) -> tuple[list[str], Metadata]:
    """Return the paragraphs of a page's main text, and its metadata.

    Args:
        html: the page; bytes are decoded as the page declares, or as what they look like.
        url: of the page; nothing is fetched from it.

    Raises:
        InputError: not text or bytes.
        InputTooLargeError: more than :data:`~boilerplate_clf.limits.MAX_HTML_CHARS`.
        MissingExtraError: trafilatura is not installed.
    """
    if not isinstance(html, (str, bytes)):
        raise InputError(f"a page is a str or bytes, not {type(html).__name__}")
    if len(html) > MAX_HTML_CHARS:
        raise InputTooLargeError(f"a page of {len(html):,} characters: at most {MAX_HTML_CHARS:,} are taken")
    trafilatura = require("html", "trafilatura")
    try:
        page = trafilatura.utils.decode_file(html) if isinstance(html, bytes) else html
    except Exception as error:  # whatever a hostile page provokes: it is this page's fault
        raise InputError(f"the page cannot be decoded: {type(error).__name__}") from error
    if len(page) > MAX_HTML_CHARS:  # it was packed
        raise InputTooLargeError(f"a page of {len(page):,} characters: at most {MAX_HTML_CHARS:,} are taken")
    # Control characters that XML does not know make lxml refuse a whole page.
    page = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]", " ", page)
    try:
        found = trafilatura.bare_extraction(
            page, url=url, favor_recall=True, include_comments=False, with_metadata=True
        )
    except Exception as error:
        raise InputError(f"trafilatura cannot read the page: {type(error).__name__}") from error
    free = {value.lower() for value in _FREE.findall(page)}
    accessible = False if "false" in free else True if free else None
    if found is None:
        return [], Metadata(url=url, accessible_for_free=accessible)
    lines = [line.strip() for line in (found.text or "").split("\n")]
    metadata = Metadata(
        title=found.title or None,
        author=found.author or None,
        date=found.date or None,
        site=found.sitename or None,
        url=url or found.url or None,
        accessible_for_free=accessible,
    )
    return [line for line in lines if line], metadata
