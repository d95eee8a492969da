r"""Labels the paragraphs of German articles: content, or an appeal that the extractor left in.

>>> from boilerplate_clf import Classifier
>>> for paragraph in Classifier().predict("Der Rat tagt am Montag.\nJetzt spenden!"):
...     print(paragraph.label, paragraph.text)
content Der Rat tagt am Montag.
donation_request Jetzt spenden!
"""

from __future__ import annotations

import importlib
import os
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from boilerplate_clf.errors import BoilerplateClfError
from boilerplate_clf.labels import Label

if TYPE_CHECKING:
    from boilerplate_clf.inference.classifier import Classifier
    from boilerplate_clf.inference.decide import Mode
    from boilerplate_clf.inference.document import Document, Paragraph

__all__ = ["BoilerplateClfError", "Classifier", "Document", "Label", "Mode", "Paragraph", "__version__"]

try:
    __version__ = version("boilerplate-clf")
except PackageNotFoundError:  # a source tree that is not installed
    __version__ = "0+unknown"

# onnxruntime 1.32 keeps an id of the machine and events for its makers in ~/.cache, unless this stands in the
# environment before it is imported. Whoever wants that sets it to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# onnxruntime takes a third of a second to import: only what uses it pays for it.
_LAZY = {
    "Classifier": "boilerplate_clf.inference.classifier",
    "Mode": "boilerplate_clf.inference.decide",
    "Document": "boilerplate_clf.inference.document",
    "Paragraph": "boilerplate_clf.inference.document",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
