"""``boilerplate-clf evaluate``: figures on labelled documents, beside the baselines."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

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
    gate: Optional[Path] = typer.Option(  # noqa: UP045
        None, "--gate", metavar="FILE", help="Exit with 1 if a figure is below its floor in this file."
    ),
    update_gate: bool = typer.Option(False, "--update-gate", help="Make these figures the floors."),
    lower: Optional[str] = typer.Option(  # noqa: UP045
        None, "--lower", metavar="REASON", help="Let --update-gate lower floors, for this reason."
    ),
    threads: Optional[int] = Threads,  # noqa: UP045
) -> None:
    """Measure a model on labelled documents, beside a keyword list and TF-IDF + logistic regression.

    Prints precision, recall and F1 per label with confidence intervals over publishers, macro-F1, the
    share of content wrongly flagged and the calibration error, for two views: "text" (paragraphs of
    four or more words) and "all". Needs the extra "train".

    \b
    Examples:
      boilerplate-clf evaluate dev.jsonl
      boilerplate-clf evaluate dev.jsonl --model my-bundle --train train.jsonl --output report/
      boilerplate-clf evaluate dev.jsonl --gate floors.json
    """
    if gate is None and (update_gate or lower):
        raise typer.BadParameter("--update-gate and --lower go with --gate FILE")
    from boilerplate_clf.extras import require

    for module in ("sklearn", "matplotlib"):
        require("train", module)
    from boilerplate_clf.evaluation.report import evaluate_model, print_report, write_report

    report = evaluate_model(data, model, train or [], threads)
    print_report(report)
    if output is not None:
        write_report(report, output)
        typer.echo(f"written: {output}/report.json and plots")
    if gate is not None:
        _gate(report, gate, update_gate, lower)


def _gate(report: dict[str, Any], path: Path, update: bool, reason: str | None) -> None:
    from boilerplate_clf.evaluation.gate import failures, new_gate, read_gate
    from boilerplate_clf.files import write_json

    if update:
        write_json(path, new_gate(report, read_gate(path) if path.exists() else None, reason))
        typer.echo(f"floors written: {path}")
        return
    if below := failures(report, read_gate(path)):
        for line in below:
            typer.echo(f"boilerplate-clf: below the floor: {line}", err=True)
        raise typer.Exit(1)
    typer.echo(f"no figure is below its floor in {path}")
