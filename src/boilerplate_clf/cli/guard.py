"""Errors, Ctrl-C and closed pipes: the same end for every command."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec

import typer

from boilerplate_clf.errors import BoilerplateClfError

USAGE_ERROR, INTERRUPTED = 2, 130

P = ParamSpec("P")


def _stand_in_for_closed_streams() -> None:
    """Python leaves a stream that the shell has closed (``>&-``) as None."""
    # Standard output for reading: to write to it is an error, not a silent loss.
    for name, mode in (("stdin", "r"), ("stdout", "r"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - for the life of the process


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """Turn the package's errors into one line and an exit code; end quietly when told to stop."""

    @functools.wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        _stand_in_for_closed_streams()
        try:
            command(*args, **kwargs)
        except BoilerplateClfError as error:
            typer.echo(f"boilerplate-clf: {error}", err=True)
            raise typer.Exit(USAGE_ERROR) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # The reader (head, less) has gone: no error. Python would complain at exit otherwise.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except OSError as error:  # a folder that cannot be written, a full disk
            place = f"{error.filename}: " if error.filename else ""
            typer.echo(f"boilerplate-clf: {place}{error.strerror or error}", err=True)
            raise typer.Exit(USAGE_ERROR) from None

    return wrapper
