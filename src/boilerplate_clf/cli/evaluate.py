"""``boilerplate-clf evaluate``: figures on labelled documents, beside the baselines."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import typer

from boilerplate_clf.cli.run import Model, Threads


def evaluate(
    data: Path = typer.Argument(..., metavar="DATA.jsonl", help="Labelled documents, one a line."),
    model: Optional[Path] = Model,  # noqa: UP045 - typer reads it at run time on Python 3.10
    train: Optional[list[Path]] = typer.Option(  # noqa: UP045
        None, "--train", metavar="FILE", help="Labelled documents for the TF-IDF baseline; may be repeated."
    ),
    output: Optional[Path] = typer.Option(  # noqa: UP045
        None, "--output", "-o", metavar="DIR", help="Write report.json and plots (PNG) into this folder."
    ),
    threads: Optional[int] = Threads,  # noqa: UP045
) -> None:
    r"""Measure a model on labelled documents, beside a keyword list and TF-IDF + logistic regression.

    Prints precision, recall and F1 per label with confidence intervals over publishers, macro-F1, the
    share of content wrongly flagged and the calibration error, for two views: "text" (paragraphs of
    four or more words) and "all". Needs the extra "train".

    \b
    Examples:
      boilerplate-clf evaluate dev.jsonl
      boilerplate-clf evaluate dev.jsonl --model my-bundle --train train.jsonl --output report/
    """
    from boilerplate_clf.training.extras import require

    for module in ("sklearn", "matplotlib"):
        require("train", module)
    from boilerplate_clf.evaluation.report import evaluate_model, print_report, write_report

    report = evaluate_model(data, model, train or [], threads)
    print_report(report)
    if output is not None:
        write_report(report, output)
        typer.echo(f"written: {output}/report.json and plots")
