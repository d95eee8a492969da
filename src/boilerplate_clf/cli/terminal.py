"""What a terminal may be shown of scraped text."""

from __future__ import annotations


def harmless(text: str) -> str:
    """Return lines with single blanks, and U+FFFD for what a terminal would act on (escape sequences)."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(
        "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line) for line in lines
    )
