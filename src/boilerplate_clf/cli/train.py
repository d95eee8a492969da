"""``boilerplate-clf train``: a model of one's own labels."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Optional

import typer

from boilerplate_clf.cli.rows import Data, DocumentColumn, KeepLabel, LabelColumn, TextColumn, read


def train(
    data: list[Path] = Data,
    output: Path = typer.Option(..., "--output", "-o", metavar="DIR", help="Folder of the new bundle."),
    evaluation: Optional[list[Path]] = typer.Option(  # noqa: UP045 - typer reads it at run time on Python 3.10
        None, "--eval", metavar="FILE", help="Measure on these rows instead of setting a fifth aside."
    ),
    base: str = typer.Option(
        "shipped", "--base", metavar="shipped|DIR|HUB_ID", help="Encoder to start from."
    ),
    text_column: str = TextColumn,
    label_column: str = LabelColumn,
    document_column: str = DocumentColumn,
    keep_label: str = KeepLabel,
    epochs: float = typer.Option(30.0, min=0.1, help="How often each row is seen."),
    minutes: float = typer.Option(math.inf, min=0.01, help="Most wall time of the fine-tuning."),
    seed: int = typer.Option(0, help="Of the split and of the training."),
    force: bool = typer.Option(False, "--force", help="Train although the data have errors."),
    resume: bool = typer.Option(False, "--resume", help="Go on with a training that was killed."),
) -> None:
    r"""Train a model on labelled paragraphs of your own and write it as a bundle.

    The data are checked first (see "check"). A fifth of the documents is set aside for measuring, unless a
    column "split" or --eval says otherwise. The result is measured beside TF-IDF with logistic regression,
    and beside the bundle that it would replace: a better one is left where it is. Needs the extra "train".

    \b
    Examples:
      boilerplate-clf train labels.csv --output my-bundle
      boilerplate-clf train labels.xlsx more.jsonl --output my-bundle --eval test.csv
      boilerplate-clf predict article.txt --model my-bundle
    """
    from boilerplate_clf.training.extras import require_training

    require_training()
    from boilerplate_clf.retrain.train import TrainOptions
    from boilerplate_clf.retrain.train import train as run

    columns = (text_column, label_column, document_column)
    result = run(
        read(data, *columns),
        output,
        evaluation=read(evaluation, *columns) if evaluation else (),
        options=TrainOptions(base=base, keep_label=keep_label, epochs=epochs, minutes=minutes, seed=seed),
        force=force,
        resume=resume,
    )
    typer.echo(f"macro-F1 on {result.measured_on} paragraphs set aside: {result.macro_f1:.3f}")
    typer.echo(f"TF-IDF + logistic regression on the same: {result.baseline_macro_f1:.3f}")
    if result.baseline_macro_f1 > result.macro_f1:
        typer.echo("the simpler model is better here: more examples would help the larger one")
    if result.previous_macro_f1 is not None:
        typer.echo(f"the bundle that was there: {result.previous_macro_f1:.3f}")
    if not result.replaced:
        typer.echo(f"{output} is better on these data and was left as it is")
    typer.echo(f"bundle: {result.bundle}")
