"""After trafilatura: ``pip install "boilerplate-clf[html]"``."""

from __future__ import annotations

from copy import copy
from typing import Any, TypeVar

from boilerplate_clf.inference.classifier import Classifier

Extracted = TypeVar("Extracted")


def clean_extracted(extracted: Extracted, classifier: Classifier) -> Extracted:
    """Return the result of ``trafilatura.extract`` or ``bare_extraction`` without the appeals.

    Args:
        extracted: plain text, the Document that ``bare_extraction`` returns, or its ``as_dict``; None
            (nothing was found) comes back as it is. A Document's ``body`` is left as it was.
        classifier: shared between calls.
    """
    result: Any = extracted
    if result is None:
        return extracted
    if isinstance(result, str):
        result = classifier.clean(result)
    elif isinstance(result, dict):
        result = {**result, "text": classifier.clean(result.get("text") or "")}
    else:
        result = copy(result)
        result.text = classifier.clean(result.text or "")
    cleaned: Extracted = result
    return cleaned
