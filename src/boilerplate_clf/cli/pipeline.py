"""``boilerplate-clf pipeline``: make a model from a configuration."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Optional

import typer


class Stage(str, Enum):
    """The stages, in order; ``all`` runs them one after another."""

    TOKENIZER = "tokenizer"
    PRETRAIN = "pretrain"
    LINEAR = "linear"
    SELFTRAIN = "selftrain"
    FINETUNE = "finetune"
    EXPORT = "export"
    CALIBRATE = "calibrate"
    CARD = "card"
    ALL = "all"


def pipeline(
    stage: Stage = typer.Argument(..., help="The stage to run."),
    config: Path = typer.Option(..., "--config", "-c", metavar="FILE", help="YAML configuration."),
    run: Path = typer.Option(..., "--run", metavar="DIR", help="Folder that the stages write into."),
    install: Optional[Path] = typer.Option(  # noqa: UP045 - typer reads it at run time on Python 3.10
        None, "--install", metavar="DIR", help="Afterwards copy the finished bundle to DIR/<name>."
    ),
    teacher: Optional[Path] = typer.Option(  # noqa: UP045
        None, "--teacher", metavar="DIR", help="Run folder of the teacher, instead of the configuration's."
    ),
) -> None:
    """Make a model: tokenizer, pretrain, linear, selftrain, finetune, export, calibrate, card.

    Finished stages are skipped; a killed one goes on from its checkpoint. Needs the extra "train".

    \b
    Examples:
      boilerplate-clf pipeline all --config configs/shipped.yaml --run runs/shipped
      boilerplate-clf pipeline finetune --config my.yaml --run runs/mine
    """
    from boilerplate_clf.extras import require_training

    require_training()
    from boilerplate_clf.errors import ConfigError
    from boilerplate_clf.training.config import load_config
    from boilerplate_clf.training.pipeline import STAGES, Pipeline

    settings = load_config(config)
    if teacher is not None:
        if settings.base is not None:
            raise ConfigError(f"{config}: has a 'base', so --teacher cannot be given")
        settings = replace(settings, teacher=teacher)
    work = Pipeline(settings, run)
    for name in STAGES if stage is Stage.ALL else (stage.value,):
        typer.echo(f"stage {name}", err=True)
        work.stage(name)
    if install is not None:
        typer.echo(f"bundle: {work.install(install)}")
