"""Entry point of ``boilerplate-clf``.

Nothing heavy is imported here or at the top of a command's file: ``--help`` must not wait for
onnxruntime or torch.
"""

from __future__ import annotations

import sys

import typer

from boilerplate_clf import __version__
from boilerplate_clf.cli.annotate import annotate
from boilerplate_clf.cli.annotate_next import annotate_next
from boilerplate_clf.cli.check import check
from boilerplate_clf.cli.clean import clean
from boilerplate_clf.cli.doctor import doctor
from boilerplate_clf.cli.evaluate import evaluate
from boilerplate_clf.cli.guard import INTERRUPTED, guarded
from boilerplate_clf.cli.info import info
from boilerplate_clf.cli.label import label
from boilerplate_clf.cli.learning_curve import learning_curve
from boilerplate_clf.cli.pipeline import pipeline
from boilerplate_clf.cli.predict import predict
from boilerplate_clf.cli.serve import serve
from boilerplate_clf.cli.train import train
from boilerplate_clf.cli.verify import verify

app = typer.Typer(
    name="boilerplate-clf",
    help="Label the paragraphs of German articles: content, subscription appeals, donation requests, "
    "comment policies.",
    epilog="Exit codes: 0 all inputs labelled, 1 some failed (the others are written), 2 wrong usage or "
    "unusable model, 130 or 143 told to stop.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@guarded
def _version(wanted: bool) -> None:
    if wanted:
        from boilerplate_clf.bundle import load_bundle, shipped_bundle

        manifest = load_bundle(shipped_bundle()).manifest
        typer.echo(f"boilerplate-clf {__version__} (model {manifest.name} {manifest.version})")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version of package and model."
    ),
) -> None:
    pass


own_labels = (check, learning_curve, train, annotate_next, label)
for command in (predict, clean, annotate, serve, info, verify, doctor, evaluate, *own_labels, pipeline):
    app.command()(guarded(command))


def main() -> None:
    """Run the command line."""
    try:
        app()
    except KeyboardInterrupt:  # before a command has begun
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
