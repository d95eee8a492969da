"""``boilerplate-clf train``: a model of one's own labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Optional

import typer

from boilerplate_clf.cli.rows import Data, DocumentColumn, LabelColumn, TextColumn, read


def train(
    data: list[Path] = Data,
    output: Path = typer.Option(..., "--output", "-o", metavar="DIR", help="Folder of the new bundle."),
    evaluation: Optional[list[Path]] = typer.Option(  # noqa: UP045 - typer reads it at run time on Python 3.10
        None, "--eval", metavar="FILE", help="Measure on these rows instead of setting a fifth aside."
    ),
    extend: Optional[bool] = typer.Option(  # noqa: UP045
        None, "--extend/--no-extend", help="Add the labels to the shipped model's (or to --base's)."
    ),
    encoder: Optional[bool] = typer.Option(  # noqa: UP045
        None,
        "--encoder/--ngrams-only",
        help="Fine-tune an encoder, or take TF-IDF and logistic regression by themselves.",
        show_default="encoder",
    ),
    base: Optional[str] = typer.Option(  # noqa: UP045
        None,
        "--base",
        metavar="shipped|DIR|HUB_ID",
        help="Encoder to start from; with --extend also the bundle to extend.",
        show_default="shipped",
    ),
    config: Optional[Path] = typer.Option(  # noqa: UP045
        None, "--config", metavar="FILE", help="YAML file with these options; those given here go before."
    ),
    text_column: str = TextColumn,
    label_column: str = LabelColumn,
    document_column: str = DocumentColumn,
    keep_label: Optional[str] = typer.Option(  # noqa: UP045
        None, metavar="LABEL", help="The label of text that is kept.", show_default="content"
    ),
    epochs: Optional[float] = typer.Option(  # noqa: UP045
        None, min=0.1, help="How often each row is seen.", show_default="30"
    ),
    minutes: Optional[float] = typer.Option(  # noqa: UP045
        None, min=0.01, help="Most wall time of the fine-tuning.", show_default="no limit"
    ),
    learning_rate: Optional[float] = typer.Option(  # noqa: UP045
        None, min=1e-7, max=1.0, help="Of the fine-tuning.", show_default="0.0004"
    ),
    seed: Optional[int] = typer.Option(  # noqa: UP045
        None, help="Of the split and of the training.", show_default="0"
    ),
    force: bool = typer.Option(False, "--force", help="Train although the data have errors."),
    resume: bool = typer.Option(False, "--resume", help="Go on with a training that was killed."),
) -> None:
    """Train a model on labelled paragraphs of your own and write it as a bundle.

    The data are checked first (see "check"). A fifth of the documents is set aside for measuring, unless a
    column "split" or --eval says otherwise. The result is measured beside TF-IDF with logistic regression,
    and beside the bundle that it would replace: a better one is left where it is. Needs the extra "train".

    \b
    Examples:
      boilerplate-clf train labels.csv --output my-bundle
      boilerplate-clf train labels.csv --output my-bundle --extend
      boilerplate-clf train labels.xlsx more.jsonl --output my-bundle --eval test.csv
      boilerplate-clf predict article.txt --model my-bundle
    """
    from boilerplate_clf.extras import require_training

    require_training()
    from boilerplate_clf.retrain.train import TrainOptions
    from boilerplate_clf.retrain.train import train as run
    from boilerplate_clf.training.config import read_config

    given: dict[str, Any] = {
        "base": base,
        "extend": extend,
        "encoder": encoder,
        "keep_label": keep_label,
        "epochs": epochs,
        "minutes": minutes,
        "learning_rate": learning_rate,
        "seed": seed,
    }
    options = read_config(config, TrainOptions) if config else TrainOptions()
    try:
        options = replace(options, **{name: value for name, value in given.items() if value is not None})
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    columns = (text_column, label_column, document_column)
    result = run(
        read(data, *columns),
        output,
        evaluation=read(evaluation, *columns) if evaluation else (),
        options=options,
        force=force,
        resume=resume,
    )
    typer.echo(f"macro-F1 on {result.measured_on} paragraphs set aside: {result.macro_f1:.3f}")
    if options.encoder:
        typer.echo(f"TF-IDF + logistic regression on the same: {result.baseline_macro_f1:.3f}")
    if options.encoder and result.baseline_macro_f1 > result.macro_f1:
        typer.echo(
            "the simpler model is better here: more examples would help the larger one; "
            "the same command with --ngrams-only makes a bundle of the simpler one"
        )
    if result.previous_macro_f1 is not None:
        typer.echo(f"the bundle that was there: {result.previous_macro_f1:.3f}")
    if not result.replaced:
        typer.echo(f"{output} is better on these data and was left as it is")
    typer.echo(f"bundle: {result.bundle}")
