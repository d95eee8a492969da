"""What the commands for labels of one's own share: tables in, under column names of any kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from boilerplate_clf.labels import CONTENT

if TYPE_CHECKING:
    from boilerplate_clf.retrain.rows import Row

Data = typer.Argument(
    ..., metavar="DATA...", help="Labelled paragraphs: CSV, TSV, XLSX, JSONL, JSON or Parquet."
)
TextColumn = typer.Option("text", "--text-column", metavar="NAME", help="Column with the paragraph.")
LabelColumn = typer.Option("label", "--label-column", metavar="NAME", help="Column with its label.")
DocumentColumn = typer.Option(
    "document", "--document-column", metavar="NAME", help="Column that tells which rows are one document."
)
KeepLabel = typer.Option(CONTENT, "--keep-label", metavar="LABEL", help="The label of text that is kept.")


def read(files: Sequence[Path], text_column: str, label_column: str, document_column: str) -> list[Row]:
    """Read the rows of all files.

    Raises:
        DataError: as :func:`boilerplate_clf.retrain.tables.read_rows`.
    """
    from boilerplate_clf.retrain.rows import Columns
    from boilerplate_clf.retrain.tables import read_rows

    return read_rows(files, Columns(text=text_column, label=label_column, document=document_column))
