"""``boilerplate-clf annotate``: whole data sets."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import typer

from boilerplate_clf.cli.run import SOME_FAILED, Model, ModeName

if TYPE_CHECKING:
    from boilerplate_clf.annotate.job import Progress, Report


class Engine(str, Enum):
    """What the work runs on."""

    LOCAL = "local"
    RAY = "ray"


class PartFormat(str, Enum):
    """Of the parts."""

    PARQUET = "parquet"
    JSONL = "jsonl"


def annotate(
    inputs: list[str] = typer.Argument(
        ..., metavar="INPUT...", help="JSONL, CSV, Parquet or WARC files, folders, globs, fsspec URLs."
    ),
    output: str = typer.Option(
        ..., "--output", "-o", metavar="DIR", help="Folder or fsspec URL of the parts."
    ),
    text_column: Optional[str] = typer.Option(  # noqa: UP045 - typer reads it at run time on Python 3.10
        None, "--text-column", metavar="NAME", help="Column with the texts.", show_default="text"
    ),
    html_column: Optional[str] = typer.Option(  # noqa: UP045
        None, "--html-column", metavar="NAME", help="Column with HTML pages instead."
    ),
    paragraphs_column: Optional[str] = typer.Option(  # noqa: UP045
        None, "--paragraphs-column", metavar="NAME", help="Column with lists of paragraphs instead."
    ),
    format: PartFormat = typer.Option(PartFormat.PARQUET, "--format", "-f", help="Of the parts."),  # noqa: A002
    engine: Engine = typer.Option(Engine.LOCAL, "--engine", help="Processes here, or a Ray cluster."),
    workers: Optional[int] = typer.Option(  # noqa: UP045
        None, "--workers", min=1, help="Processes or actors, one model each.", show_default="CPUs"
    ),
    address: Optional[str] = typer.Option(  # noqa: UP045
        None, "--ray-address", metavar="HOST:PORT", help="An existing Ray cluster."
    ),
    chunk: int = typer.Option(
        500, "--chunk", min=1, max=100_000, help="Documents of one part, or fewer where they are large."
    ),
    model: Optional[Path] = Model,  # noqa: UP045
    mode: Optional[str] = ModeName,  # noqa: UP045
) -> None:
    """Label a whole data set, in parts, on all CPUs or a cluster.

    The input's columns come back with "paragraphs" (start, end, label, score), "clean_text" and "error"
    beside them; of HTML and WARC also "extracted_text", to which the offsets refer. A record that cannot be
    used keeps its place and gets its error; a file that cannot be read is named, and the others are labelled.
    Run the same command again to go on after a crash: parts that are finished are left alone. Needs the extra
    "annotate" ("ray" for that engine, "html" for pages).

    \b
    Examples:
      boilerplate-clf annotate crawl/ --output labelled/
      boilerplate-clf annotate "news-*.jsonl.zst" --text-column body --output s3://bucket/labelled
      boilerplate-clf annotate pages.warc.gz --output labelled/ --workers 8
      boilerplate-clf annotate crawl/*.parquet --output labelled/ --engine ray --ray-address auto
    """
    from boilerplate_clf.annotate.job import JobOptions, run_job
    from boilerplate_clf.annotate.records import Column
    from boilerplate_clf.machine import available_threads

    given = {"text": text_column, "html": html_column, "paragraphs": paragraphs_column}
    named = [(name, kind) for kind, name in given.items() if name is not None]
    if len(named) > 1:
        raise typer.BadParameter("give one of --text-column, --html-column and --paragraphs-column")
    column = Column(*named[0]) if named else Column()
    options = JobOptions(column, format.value, str(model) if model else None, mode, chunk)
    workers = workers or available_threads()
    with _bar() as report:
        result = run_job(
            inputs, output, options, engine=engine.value, workers=workers, address=address, report=report
        )
    labels = ", ".join(f"{name} {count:,}" for name, count in result.paragraphs.items())
    rate = result.documents / max(result.seconds, 0.1)
    typer.echo(
        f"{result.documents:,} documents in {result.parts:,} parts, {result.errors:,} with an error; "
        f"{result.seconds:,.0f} s, {rate:,.0f} documents/s"
    )
    typer.echo(f"paragraphs: {labels or 'none'}")
    # Bytes that are not UTF-8 may be in a name, and standard output need not take them.
    typer.echo(f"written: {output.encode('utf-8', 'backslashreplace').decode()}")
    for line in result.unread:
        typer.echo(f"boilerplate-clf: {line}", err=True)
    if result.errors or result.unread:
        raise typer.Exit(SOME_FAILED)


@contextmanager
def _bar() -> Iterator[Report]:
    """Show how far the run is, on a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from tqdm import tqdm

    shape = "{percentage:3.0f}%|{bar}| {elapsed}, {remaining} left{postfix}"
    with tqdm(total=1.0, bar_format=shape, leave=False) as bar:

        def report(progress: Progress) -> None:
            bar.update(progress.share - bar.n)
            rate = progress.new / max(0.1, bar.format_dict["elapsed"])
            bar.set_postfix_str(f"{progress.documents:,} documents, {rate:,.0f}/s")

        yield report
