"""What ``predict`` and ``clean`` share: inputs in, labelled documents out, errors on the way."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Optional

import typer

from boilerplate_clf.cli.inputs import STDIN, Record, chunks, read_records
from boilerplate_clf.errors import BoilerplateClfError, InputError
from boilerplate_clf.files import atomic_write
from boilerplate_clf.limits import BATCH_CHARS, BATCH_DOCUMENTS

if TYPE_CHECKING:
    from boilerplate_clf.inference.classifier import Classifier
    from boilerplate_clf.inference.document import Document

Decision = tuple[Optional[str], Optional[float]]  # noqa: UP045 - evaluated on Python 3.10
"""Mode and precision target, as the classifier takes them."""

SOME_FAILED = 1

Inputs = typer.Argument(
    None, metavar="[FILES|DIRS|-]...", help="Text, JSONL or HTML files, folders, or - for standard input."
)
Recursive = typer.Option(False, "--recursive", "-r", help="Search folders through all levels.")
Model = typer.Option(
    None,
    "--model",
    metavar="DIR",
    help="Folder of a model bundle, or accurate: the shipped one, reading every paragraph (slower). "
    "Default: the shipped one.",
)
Output = typer.Option(
    None,
    "--output",
    "-o",
    metavar="FILE",
    help="Write here instead of standard output.",
    callback=lambda path: None if path == Path(STDIN) else path,
)
ModeName = typer.Option(
    None,
    "--mode",
    help="How sure the model must be: careful, balanced (default) or best-guess.",
    metavar="MODE",
)
PrecisionTarget = typer.Option(
    None, "--precision-target", metavar="P", help="Instead of a mode: least precision per label, 0 to 1."
)
Threads = typer.Option(None, "--threads", min=1, help="CPU threads (default: those the process may use).")


def run(
    inputs: list[str] | None,
    recursive: bool,
    model: Path | None,
    decision: Decision,
    threads: int | None,
    output: Path | None,
    write: Callable[[Iterator[tuple[Record, Document]], IO[str]], None],
    *,
    explain: bool = False,
    also_written: Path | None = None,
) -> None:
    """Label all inputs and hand the results to ``write`` in order.

    ``output`` and ``also_written`` are no inputs where they lie in a folder that is read.

    Raises:
        typer.Exit: with code 1 if an input could not be used; the others have been written.
    """
    if not inputs:
        if sys.stdin.isatty():
            raise typer.BadParameter("no input: name files, or pipe a text in and pass -")
        inputs = [STDIN]
    from boilerplate_clf.inference.classifier import Classifier

    mode, target = decision
    try:
        classifier = Classifier(model, mode=mode, precision_target=target, threads=threads)
    except InputError as error:
        raise typer.BadParameter(str(error)) from error
    failed = 0

    def report(error: InputError) -> None:
        nonlocal failed
        failed += 1
        typer.echo(f"boilerplate-clf: {error}", err=True)

    with open_output(output) as stream, _progress(to_terminal=output is None) as advance:
        written = [path for path in (output, also_written) if path is not None]
        size = 1 if STDIN in inputs else BATCH_DOCUMENTS  # what is piped in is answered without delay
        chunked = chunks(read_records(inputs, recursive, written), size, BATCH_CHARS)
        results = _labelled(classifier, chunked, report, advance)
        if explain:
            results = ((record, classifier.explain(document)) for record, document in results)
        write(results, stream)
        stream.flush()
    if failed:
        raise typer.Exit(SOME_FAILED)


def _labelled(
    classifier: Classifier,
    chunked: Iterable[list[Record | InputError]],
    report: Callable[[InputError], None],
    advance: Callable[[], None],
) -> Iterator[tuple[Record, Document]]:
    for chunk in chunked:
        usable = []
        for record in chunk:
            if isinstance(record, InputError):
                report(record)
            else:
                usable.append(record)
        try:
            documents: list[Document | None] = list(classifier.predict_batch(r.document for r in usable))
        except InputError:
            documents = [_one(classifier, record, report) for record in usable]
        for record, document in zip(usable, documents, strict=True):
            if document is not None:
                document.metadata = record.metadata
                yield record, document
            advance()


def _one(classifier: Classifier, record: Record, report: Callable[[InputError], None]) -> Document | None:
    try:
        return classifier.predict(record.document)
    except InputError as error:
        report(InputError(f"{record.source}: {error}"))
        return None


@contextmanager
def open_output(path: Path | None) -> Iterator[IO[str]]:
    """Open a file that appears only when the block succeeds; None is standard output."""
    if path is None:
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
        try:
            yield sys.stdout
        except BrokenPipeError:
            raise
        except OSError as error:
            # Not an OSError any more: the file around it, that of --removed, is not to blame.
            raise BoilerplateClfError(f"standard output: {error.strerror or error}") from error
        return
    import io

    try:
        with atomic_write(path) as raw:
            stream = io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", newline="")
            yield stream
            stream.flush()
            stream.detach()
    except BrokenPipeError:  # of standard output, which something inside writes to
        raise
    except OSError as error:
        raise typer.BadParameter(f"{path}: cannot be written: {error.strerror or error}") from error


@contextmanager
def _progress(*, to_terminal: bool) -> Iterator[Callable[[], None]]:
    """Show a counter on standard error, unless results or errors would be torn apart by it."""
    if not sys.stderr.isatty() or (to_terminal and sys.stdout.isatty()):
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.completed:,} documents"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("documents", total=None)
        yield lambda: bar.advance(task)
