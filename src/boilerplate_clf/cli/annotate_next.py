"""``boilerplate-clf annotate-next``: which paragraphs to label next."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import typer

from boilerplate_clf.cli.rows import Data, DocumentColumn, LabelColumn, TextColumn, read
from boilerplate_clf.cli.run import Model


def annotate_next(
    data: list[Path] = Data,
    output: Path = typer.Option(..., "--output", "-o", metavar="FILE.csv", help="Write the picks here."),
    number: int = typer.Option(100, "--number", "-n", min=1, help="How many paragraphs to pick."),
    model: Optional[Path] = Model,  # noqa: UP045 - typer reads it at run time on Python 3.10
    text_column: str = TextColumn,
    label_column: str = LabelColumn,
    document_column: str = DocumentColumn,
    seed: int = typer.Option(0, help="Of the clustering."),
) -> None:
    """Pick the unlabelled paragraphs whose labels would help most, as a CSV file ready to fill in.

    Rows with an empty label cell are judged by the model; of those it is least sure of, ones that differ
    from one another are taken. "guess" and "score" are what the model thinks: fill in "label".

    \b
    Examples:
      boilerplate-clf annotate-next crawl.jsonl --output next.csv -n 50
      boilerplate-clf annotate-next all.csv --model my-bundle --output next.csv
    """
    from boilerplate_clf.extras import require
    from boilerplate_clf.retrain.tables import refuse_input, refuse_labelled

    refuse_input(output, data)
    refuse_labelled(output)
    require("train", "sklearn")
    from boilerplate_clf.inference.classifier import Classifier
    from boilerplate_clf.retrain.select import pick_rows, write_picks

    rows = read(data, text_column, label_column, document_column)
    picks = pick_rows(rows, Classifier(model), number, seed=seed)
    write_picks(picks, output)
    typer.echo(f"{len(picks)} paragraphs written: {output}")
