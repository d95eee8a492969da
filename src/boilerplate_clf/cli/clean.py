"""``boilerplate-clf clean``: print the content only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Optional

from boilerplate_clf.cli.inputs import Record
from boilerplate_clf.cli.run import Inputs, Model, ModeName, Output, PrecisionTarget, Recursive, Threads, run

if TYPE_CHECKING:
    from boilerplate_clf.inference.document import Document


def clean(
    inputs: Optional[list[str]] = Inputs,  # noqa: UP045 - typer reads it at run time on Python 3.10
    recursive: bool = Recursive,
    model: Optional[Path] = Model,  # noqa: UP045
    output: Optional[Path] = Output,  # noqa: UP045
    mode: Optional[str] = ModeName,  # noqa: UP045
    precision_target: Optional[float] = PrecisionTarget,  # noqa: UP045
    threads: Optional[int] = Threads,  # noqa: UP045
) -> None:
    r"""Print the content of the inputs, without the appeals.

    Everything that is kept keeps its spelling and its blank lines. Several documents are parted by
    a blank line.

    \b
    Examples:
      boilerplate-clf clean article.txt > clean.txt
      boilerplate-clf clean --mode careful article.txt
      trafilatura -u https://example.org/artikel | boilerplate-clf clean -
    """
    run(inputs, recursive, model, (mode, precision_target), threads, output, _write)


def _write(results: Iterator[tuple[Record, Document]], stream: IO[str]) -> None:
    for number, (_, document) in enumerate(results):
        text = document.clean_text
        if number:
            stream.write("\n")
        stream.write(text if not text or text.endswith("\n") else text + "\n")
        stream.flush()
