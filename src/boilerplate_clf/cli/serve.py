"""``boilerplate-clf serve``: the HTTP service."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import fields
from pathlib import Path
from typing import Any, Optional

import typer

from boilerplate_clf.cli.run import Model, Threads
from boilerplate_clf.serve.settings import TOKEN_VARIABLE, Limits, Settings, read_token


def _limit(name: str, flag: str, least: float, help: str) -> Any:  # noqa: A002 - typer's word
    """Return the flag of a field of :class:`Limits`, which has the default."""
    return typer.Option(getattr(Limits, name), flag, min=least, help=help)


def serve(
    context: typer.Context,
    host: str = typer.Option(Settings.host, "--host", help="Address to listen on."),
    port: int = typer.Option(Settings.port, "--port", min=0, max=65535, help="Port to listen on."),
    model: Optional[Path] = Model,  # noqa: UP045 - typer reads it at run time on Python 3.10
    workers: int = typer.Option(
        Settings.workers,
        "--workers",
        min=1,
        help="Processes, one model each. The limits are of each of them.",
    ),
    threads: Optional[int] = Threads,  # noqa: UP045
    token_file: Optional[Path] = typer.Option(  # noqa: UP045
        None, "--token-file", metavar="FILE", help=f"Requests need this bearer token (or ${TOKEN_VARIABLE})."
    ),
    cors_origin: list[str] = typer.Option(
        [], "--cors-origin", metavar="ORIGIN", help="Pages of this origin may use the service; repeatable."
    ),
    body_bytes: int = _limit("body_bytes", "--max-body-bytes", 1, "Of a request (413)."),
    documents: int = _limit("documents", "--max-documents", 1, "Of a request (413)."),
    document_chars: int = _limit("document_chars", "--max-document-chars", 1, "Of a document (413)."),
    paragraphs: int = _limit("paragraphs", "--max-paragraphs", 1, "Of a document (413)."),
    explained: int = _limit("explained", "--max-explained", 1, "Paragraphs explained in a request (413)."),
    concurrent: int = _limit(
        "concurrent", "--max-concurrent", 1, "Requests being worked on or waiting (429)."
    ),
    buffered_bytes: int = _limit(
        "buffered_bytes", "--max-buffered-bytes", 1, "Of all bodies together (429)."
    ),
    connections: int = _limit("connections", "--max-connections", 1, "Open at the same time (429)."),
    request_seconds: float = _limit("request_seconds", "--request-seconds", 0.1, "For an answer (504)."),
    header_seconds: float = _limit("header_seconds", "--header-seconds", 0.1, "For a request's head (408)."),
    body_seconds: float = _limit("body_seconds", "--body-seconds", 0.1, "For a request's body (408)."),
    idle_seconds: float = _limit(
        "idle_seconds", "--idle-seconds", 1, "Between requests, and for an unread answer."
    ),
) -> None:
    """Serve the model over HTTP, with a page to try it on at /.

    POST /v1/predict and /v1/clean take JSON; /docs describes them, docs/http.md shows them with curl. Needs
    the extra "serve", and "html" for pages. SIGTERM ends it when every accepted request is answered.

    \b
    Examples:
      boilerplate-clf serve
      boilerplate-clf serve --port 8080 --model my-bundle --workers 4
      boilerplate-clf serve --host 0.0.0.0 --token-file /run/secrets/token
    """
    from boilerplate_clf.bundle import find_bundle, load_bundle
    from boilerplate_clf.serve.server import run

    limits = Limits(**{field.name: context.params[field.name] for field in fields(Limits)})
    settings = Settings(
        host=host,
        port=port,
        model=str(model) if model else None,
        workers=workers,
        threads=threads,
        token_file=str(token_file) if token_file else None,
        cors_origins=tuple(cors_origin),
        limits=limits,
    )
    load_bundle(find_bundle(model))  # what is wrong with it is better said here than by a worker
    if read_token(settings.token_file, os.environ.get(TOKEN_VARIABLE)) is None and not _is_loopback(host):
        rule = "!" * 79
        message = (
            f"boilerplate-clf: WARNING: listening on {host} WITHOUT A TOKEN.\n"
            f"Everybody who reaches this address can use the service. Give --token-file FILE or\n"
            f"${TOKEN_VARIABLE}, or put a proxy in front of it that asks for one."
        )
        typer.echo(f"{rule}\n{message}\n{rule}", err=True)
    run(settings)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
