"""The package's docstrings on the site: cross-references and examples, which Markdown would misread."""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:attr|class|data|func|meth|mod):`(~?)([\w.]+)`")
_EXAMPLE = re.compile(r"^>>> .*?(?=\n\n|\Z)", re.M | re.S)


class Docstrings(griffe.Extension):
    """Rewrites Sphinx's roles and doctests."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite one docstring."""
        if obj.name == "__init__" and obj.is_function:
            obj.docstring = None  # the class says it
        if obj.docstring is not None:
            text = _ROLE.sub(_reference, obj.docstring.value)
            text = re.sub(r"^::$|(?<=:):$", "", text, flags=re.M)
            obj.docstring.value = _EXAMPLE.sub(lambda found: f"```pycon\n{found[0]}\n```", text)


def _reference(role: re.Match[str]) -> str:
    shown = role[2].rpartition(".")[2] if role[1] else role[2]
    return f'<autoref optional identifier="{role[2]}"><code>{shown}</code></autoref>'
