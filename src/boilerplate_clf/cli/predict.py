"""``boilerplate-clf predict``: label every paragraph."""

from __future__ import annotations

import csv
import shutil
import sys
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Optional

import typer

from boilerplate_clf.cli.inputs import Record
from boilerplate_clf.cli.run import Inputs, Model, ModeName, Output, PrecisionTarget, Recursive, Threads, run
from boilerplate_clf.cli.terminal import harmless
from boilerplate_clf.files import to_json
from boilerplate_clf.labels import Label

if TYPE_CHECKING:
    from boilerplate_clf.inference.document import Document


class Format(str, Enum):
    """Output formats."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    HTML = "html"


_COLOURS = {
    Label.SUBSCRIPTION_APPEAL: typer.colors.YELLOW,
    Label.DONATION_REQUEST: typer.colors.MAGENTA,
    Label.COMMENT_POLICY: typer.colors.CYAN,
}
_NARROW = 60


def predict(
    inputs: Optional[list[str]] = Inputs,  # noqa: UP045 - typer reads it at run time on Python 3.10
    recursive: bool = Recursive,
    format: Optional[Format] = typer.Option(  # noqa: UP045, A002
        None, "--format", "-f", help="Default: text on a terminal, jsonl elsewhere."
    ),
    model: Optional[Path] = Model,  # noqa: UP045
    output: Optional[Path] = Output,  # noqa: UP045
    mode: Optional[str] = ModeName,  # noqa: UP045
    precision_target: Optional[float] = PrecisionTarget,  # noqa: UP045
    explain: bool = typer.Option(False, "--explain", help="Name the phrases that drove each label (slower)."),
    threads: Optional[int] = Threads,  # noqa: UP045
) -> None:
    """Label every paragraph of the inputs.

    Text files: one paragraph a line. JSONL: one document a line with "text", "paragraphs" or "html"; other
    keys come back under "meta". HTML: the main text is found by trafilatura (extra "html").

    \b
    Examples:
      boilerplate-clf predict article.txt
      boilerplate-clf predict --mode careful --explain article.txt
      boilerplate-clf predict article.txt --format html --output article.html
      boilerplate-clf predict -r crawl/ --format jsonl --output labels.jsonl
      trafilatura -u https://example.org/artikel | boilerplate-clf predict -
    """
    chosen = format or (Format.TEXT if output is None and sys.stdout.isatty() else Format.JSONL)
    run(
        inputs, recursive, model, (mode, precision_target), threads, output, _WRITERS[chosen], explain=explain
    )


def _jsonl(results: Iterator[tuple[Record, Document]], stream: IO[str]) -> None:
    for record, document in results:
        stream.write(to_json(document.to_dict(record.source, record.meta)) + "\n")
        stream.flush()


def _json(results: Iterator[tuple[Record, Document]], stream: IO[str]) -> None:
    documents = [document.to_dict(record.source, record.meta) for record, document in results]
    stream.write(to_json(documents, indent=2) + "\n")


def _csv(results: Iterator[tuple[Record, Document]], stream: IO[str]) -> None:
    writer = csv.writer(stream, lineterminator="\n")
    quoted = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(["source", "index", "start", "end", "label", "score", "raw_label", "reason", "text"])
    for record, document in results:
        for p in document:
            place = [record.source, p.index, p.start, p.end]
            # A lone carriage return ends a row for those who read it, but is not quoted by itself.
            row = quoted if "\r" in p.text else writer
            row.writerow([*place, p.label, f"{p.score:.6f}", p.raw_label, p.reason, p.text])


def _html(results: Iterator[tuple[Record, Document]], stream: IO[str]) -> None:
    from boilerplate_clf.report.html import render_html

    for part in render_html((record.source, document) for record, document in results):
        stream.write(part)


def _text(results: Iterator[tuple[Record, Document]], stream: IO[str]) -> None:
    colour = stream is sys.stdout and sys.stdout.isatty()
    width = max(_NARROW, shutil.get_terminal_size((100, 24)).columns)
    for number, (record, document) in enumerate(results):
        if number:
            stream.write("\n")
        removed = len(document.removed)
        summary = f"{record.source}: {len(document)} paragraphs, {removed} not content"
        stream.write(typer.style(summary, bold=True) + "\n" if colour else summary + "\n")
        column = max((len(str(p.label)) for p in document), default=0)
        for p in document:
            label = f"{p.label!s:<{column}}  {p.score:4.2f}  "
            line = " ".join(p.text.split())
            room = width - len(label)
            if len(line) > room:
                line = line[: room - 1] + "…"
            row = label + harmless(line)  # what is shown of it: a line may have megabytes
            paint = _COLOURS.get(p.label) if isinstance(p.label, Label) else None
            stream.write((typer.style(row, fg=paint) if colour and paint else row) + "\n")
            if p.because:
                phrases = ", ".join(f"{phrase.text!r} {phrase.influence:+.1f}" for phrase in p.because)
                stream.write(f"{'':<{column}}        because of {phrases}\n")


_WRITERS = {
    Format.TEXT: _text,
    Format.JSON: _json,
    Format.JSONL: _jsonl,
    Format.CSV: _csv,
    Format.HTML: _html,
}
