"""``boilerplate-clf learning-curve``: what one's labels are worth, and what more would bring."""

from __future__ import annotations

from pathlib import Path

import typer

from boilerplate_clf.cli.rows import Data, DocumentColumn, KeepLabel, LabelColumn, TextColumn, read


def learning_curve(
    data: list[Path] = Data,
    text_column: str = TextColumn,
    label_column: str = LabelColumn,
    document_column: str = DocumentColumn,
    keep_label: str = KeepLabel,
    encoder: bool = typer.Option(
        False,
        "--encoder/--ngrams-only",
        help="Measure fine-tuning: two trainings a fold, minutes each.",
    ),
    folds: int = typer.Option(5, min=2, max=20, help="Parts that are measured on in turn."),
    more: int = typer.Option(200, min=1, help="How many more rows to forecast for."),
    seed: int = typer.Option(0, help="Of the split."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Cross-validate a model of your labels, with growing parts of them.

    Says how well each label is told, and what more rows would bring if the curve goes on as it does. Takes
    TF-IDF with logistic regression (seconds), or the fine-tuned encoder. Documents are never split between
    training and measuring. Needs the extra "train".

    \b
    Examples:
      boilerplate-clf learning-curve labels.csv
      boilerplate-clf learning-curve labels.csv --encoder --folds 3 --more 500
    """
    import json
    from dataclasses import asdict

    from boilerplate_clf.extras import require_training

    require_training()
    from boilerplate_clf.retrain.curve import learning_curve as measure
    from boilerplate_clf.retrain.train import TrainOptions

    rows = read(data, text_column, label_column, document_column)
    options = TrainOptions(encoder=encoder, keep_label=keep_label, folds=folds, seed=seed)
    curve = measure(rows, options)
    expected = curve.forecast(more)
    if as_json:
        typer.echo(json.dumps({**asdict(curve), "more": more, "forecast": expected}, indent=2))
        return
    typer.echo(f"{'rows':>8}  macro-F1 (mean and standard deviation of {folds} folds)")
    for point in curve.points:
        typer.echo(f"{point.rows:>8}  {point.macro_f1:.3f} ± {point.deviation:.3f}")
    width = max(len("label"), *map(len, curve.labels))
    typer.echo(f"\n{'label':<{width}}  rows  precision  recall     F1")
    for label, worth in curve.labels.items():
        typer.echo(
            f"{label:<{width}}  {worth.rows:>4}  {worth.precision:>9.3f}  {worth.recall:>6.3f}  "
            f"{worth.f1:.3f}"
        )
    if expected is None:
        typer.echo("\nthe curve does not rise: more rows of the same kind promise little")
    else:
        typer.echo(f"\nwith {more} more rows: about {expected:.2f}, if the curve goes on like this")
