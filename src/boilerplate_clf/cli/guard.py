"""Errors, Ctrl-C, SIGTERM and closed pipes: the same end for every command."""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec

import typer

from boilerplate_clf.errors import BoilerplateClfError

USAGE_ERROR, INTERRUPTED, TERMINATED = 2, 128 + signal.SIGINT, 128 + signal.SIGTERM

P = ParamSpec("P")


def _stand_in_for_closed_streams() -> None:
    """Python leaves a stream that the shell has closed (``>&-``) as None."""
    # Standard output for reading: to write to it is an error, not a silent loss.
    for name, mode in (("stdin", "r"), ("stdout", "r"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - for the life of the process


class _Terminated(BaseException):
    """SIGTERM has come."""


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl-C does: what it leaves undone, temporary files, is cleared away."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    here = os.getpid()

    def stop(*_: Any) -> None:
        if os.getpid() == here:
            raise _Terminated
        # A worker that was forked has nothing to clear away, and its parent waits for its end.
        os._exit(TERMINATED)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """Turn the package's errors into one line and an exit code; end quietly when told to stop."""

    @functools.wraps(command)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        _stand_in_for_closed_streams()
        try:
            with _sigterm_raises():
                command(*args, **kwargs)
        except BoilerplateClfError as error:
            typer.echo(f"boilerplate-clf: {error}", err=True)
            raise typer.Exit(USAGE_ERROR) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except _Terminated:
            raise typer.Exit(TERMINATED) from None
        except BrokenPipeError:
            # The reader (head, less) has gone: no error. Python would complain at exit otherwise.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except OSError as error:  # a folder that cannot be written, a full disk
            place = f"{error.filename}: " if error.filename else ""
            typer.echo(f"boilerplate-clf: {place}{error.strerror or error}", err=True)
            raise typer.Exit(USAGE_ERROR) from None

    return wrapper
