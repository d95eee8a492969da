"""``boilerplate-clf label``: one key per paragraph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from boilerplate_clf.cli.rows import Data, DocumentColumn, LabelColumn, TextColumn, read
from boilerplate_clf.cli.terminal import harmless

if TYPE_CHECKING:
    from boilerplate_clf.retrain.labelling import Labelling, Question


def label(
    data: list[Path] = Data,
    output: Path = typer.Option(..., "--output", "-o", metavar="FILE.csv", help="File of the answers."),
    labels: str = typer.Option(..., "--labels", metavar="A,B,...", help="The labels, with commas between."),
    text_column: str = TextColumn,
    label_column: str = LabelColumn,
    document_column: str = DocumentColumn,
) -> None:
    """Label paragraphs in the terminal: one key each, with the paragraphs around it in view.

    Each answer is saved at once; the same command goes on where it was left. A file of answers keeps the
    columns that it has. u takes the last answer back, s skips, q (or Ctrl-C) stops.

    \b
    Examples:
      boilerplate-clf label next.csv --output labels.csv --labels content,newsletter,author_bio
    """
    import sys

    from boilerplate_clf.errors import InputError
    from boilerplate_clf.retrain.labelling import QUIT, Labelling
    from boilerplate_clf.retrain.tables import refuse_input

    refuse_input(output, data)
    if not sys.stdin.isatty():
        raise InputError("label asks for keys: it needs a terminal, not a pipe")
    rows = read(data, text_column, label_column, document_column)
    work = Labelling(rows, [part.strip() for part in labels.split(",") if part.strip()], output)
    while (question := work.question()) is not None:
        _show(work, question)
        if (key := typer.getchar().lower()) == QUIT:
            break
        if not work.press(key):
            typer.echo("\a", nl=False)
    typer.echo(f"\n{len(work.answers)} answers: {output}")


def _show(work: Labelling, question: Question) -> None:
    typer.echo(f"\n--- {work.number} of {work.total} ---")
    for text in question.before:
        typer.secho(harmless(text), dim=True)
    typer.secho(harmless(question.row.text), bold=True)
    for text in question.after:
        typer.secho(harmless(text), dim=True)
    keys = "  ".join(f"[{key}] {harmless(name)}" for key, name in work.keys.items())
    typer.echo(f"{keys}  [u]ndo [s]kip [q]uit")
