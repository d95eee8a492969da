"""``boilerplate-clf clean``: print the content only."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Optional

import typer

from boilerplate_clf.cli.inputs import Record
from boilerplate_clf.cli.run import (
    Inputs,
    Model,
    ModeName,
    Output,
    PrecisionTarget,
    Recursive,
    Threads,
    open_output,
    run,
)

if TYPE_CHECKING:
    from boilerplate_clf.inference.document import Document


def clean(
    inputs: Optional[list[str]] = Inputs,  # noqa: UP045 - typer reads it at run time on Python 3.10
    recursive: bool = Recursive,
    model: Optional[Path] = Model,  # noqa: UP045
    output: Optional[Path] = Output,  # noqa: UP045
    mode: Optional[str] = ModeName,  # noqa: UP045
    precision_target: Optional[float] = PrecisionTarget,  # noqa: UP045
    removed: Optional[Path] = typer.Option(  # noqa: UP045
        None, "--removed", metavar="FILE", help="Write what was taken out: JSONL, one document a line."
    ),
    threads: Optional[int] = Threads,  # noqa: UP045
) -> None:
    """Print the content of the inputs, without the appeals.

    Everything that is kept keeps its spelling and its blank lines. Several documents are parted by
    a blank line. The file of --removed lists every paragraph that was taken out, with label and score, and
    the exact stretches, from which the original can be made again.

    \b
    Examples:
      boilerplate-clf clean article.txt > clean.txt
      boilerplate-clf clean --mode careful article.txt
      boilerplate-clf clean -r crawl/ --output clean.txt --removed removed.jsonl
      trafilatura -u https://example.org/artikel | boilerplate-clf clean -
    """
    decision = (mode, precision_target)
    if removed is None:
        run(inputs, recursive, model, decision, threads, output, _write)
        return
    if output is not None and os.path.realpath(output) == os.path.realpath(removed):
        raise typer.BadParameter(f"--output and --removed are the same file: {output}")
    with open_output(removed) as audit:

        def audited(results: Iterator[tuple[Record, Document]], stream: IO[str]) -> None:
            _write(_recorded(results, audit), stream)

        end: typer.Exit | None = None
        try:
            run(inputs, recursive, model, decision, threads, output, audited, also_written=removed)
        except typer.Exit as error:  # some inputs failed: what was taken out of the others is written
            end = error
    if end is not None:
        raise end


def _recorded(
    results: Iterator[tuple[Record, Document]], audit: IO[str]
) -> Iterator[tuple[Record, Document]]:
    for record, document in results:
        audit.write(json.dumps(document.removal(record.source), ensure_ascii=False) + "\n")
        yield record, document


def _write(results: Iterator[tuple[Record, Document]], stream: IO[str]) -> None:
    for number, (_, document) in enumerate(results):
        text = document.clean_text
        if number:
            stream.write("\n")
        stream.write(text if not text or text.endswith("\n") else text + "\n")
        stream.flush()
