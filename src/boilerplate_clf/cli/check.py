"""``boilerplate-clf check``: what would spoil a training, before it is begun."""

from __future__ import annotations

from pathlib import Path

import typer

from boilerplate_clf.cli.rows import Data, DocumentColumn, KeepLabel, LabelColumn, TextColumn, read

FOUND_ERRORS = 1


def check(
    data: list[Path] = Data,
    text_column: str = TextColumn,
    label_column: str = LabelColumn,
    document_column: str = DocumentColumn,
    keep_label: str = KeepLabel,
    as_json: bool = typer.Option(False, "--json", help="Print JSON, with every row of every finding."),
) -> None:
    """Look through labelled paragraphs for what would spoil a training.

    One paragraph a row, or one document a line; exports of Label Studio, Prodigy and doccano are read as
    they are. Counts the labels and finds: too few examples, labels spelt in two ways, the same text under
    two labels, copies, texts that stand in two splits, empty and over-long rows, damaged characters,
    markup, other languages. Exits with 1 if there is an error, which training would refuse.

    \b
    Examples:
      boilerplate-clf check labels.csv
      boilerplate-clf check export.json --label-column sentiment --json
    """
    import json
    from dataclasses import asdict

    from boilerplate_clf.retrain.check import check_rows

    rows = read(data, text_column, label_column, document_column)
    report = check_rows(rows, keep_label=keep_label)
    if as_json:
        typer.echo(json.dumps({"rows": len(rows), **asdict(report)}, ensure_ascii=False, indent=2))
    else:
        typer.echo(f"{len(rows):,} rows in {report.documents:,} documents")
        width = max(len(label) for label in report.counts) + 2
        for label, count in report.counts.items():
            typer.echo(f"  {label or '(none)':<{max(width, 8)}}{count:>8,}")
        for finding in report.findings:
            typer.echo(str(finding))
        if not report.findings:
            typer.echo("nothing to complain about")
    if report.errors:
        raise typer.Exit(FOUND_ERRORS)
