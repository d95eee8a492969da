"""What the service is run with: every limit and default stands here, the command line's flags read it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from boilerplate_clf.errors import ConfigError

TOKEN_VARIABLE = "BOILERPLATE_CLF_TOKEN"  # noqa: S105 - a name, not a token
SETTINGS_VARIABLE = "BOILERPLATE_CLF_SERVE"
"""How a worker process gets its settings."""

MIN_TOKEN_CHARS = 16


@dataclass(frozen=True)
class Limits:
    """What one request, one client and all of them together may take; of each worker process."""

    body_bytes: int = 10_000_000
    """Of one request; more is answered 413 without being read."""
    documents: int = 100
    """Of one request."""
    document_chars: int = 1_000_000
    """Of one text, all paragraphs of a list, or one HTML page."""
    paragraphs: int = 10_000
    """Of one document."""
    explained: int = 100
    """Paragraphs of one request that are explained; each takes dozens of calls of the model."""
    concurrent: int = 64
    """Requests that are worked on or wait for the model; further ones are answered 429."""
    buffered_bytes: int = 256_000_000
    """Of all bodies in memory together; further ones are answered 429."""
    connections: int = 1_000
    """Further ones are answered 429 and closed."""
    request_seconds: float = 30.0
    """From a request's last byte to its answer; then 504."""
    header_seconds: float = 10.0
    """For the head of a request, from its first byte (of a new connection: from its opening); then 408."""
    body_seconds: float = 30.0
    """For the body of a request; then 408."""
    idle_seconds: float = 15.0
    """Between two requests of a connection, and for a client that does not read its answer."""


@dataclass(frozen=True)
class Settings:
    """Everything that a worker process must know."""

    host: str = "127.0.0.1"
    port: int = 8000
    model: str | None = None
    workers: int = 1
    threads: int | None = None
    """Of the model, in each worker; None: the CPUs, shared out."""
    token_file: str | None = None
    cors_origins: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)

    def to_json(self) -> str:
        """Return a text that :meth:`from_json` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """Read what :meth:`to_json` has written."""
        values = json.loads(text)
        values["cors_origins"] = tuple(values["cors_origins"])
        return cls(**values | {"limits": Limits(**values["limits"])})


def read_token(file: str | None, variable: str | None) -> str | None:
    """Return the bearer token, from a file or the value of :data:`TOKEN_VARIABLE`; None: there is none.

    Raises:
        ConfigError: the file cannot be read, or the token is too short to be one, or not plain ASCII.
    """
    if file is None:
        if not variable:
            return None
        token, where = variable, TOKEN_VARIABLE
    else:
        try:
            token, where = Path(file).read_text(encoding="utf-8").strip(), file
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file}: the token cannot be read: {error}") from error
    if len(token) < MIN_TOKEN_CHARS or not token.isascii() or not token.isprintable() or " " in token:
        raise ConfigError(
            f"{where}: a token has at least {MIN_TOKEN_CHARS} printable ASCII characters and no blanks: "
            "make one with `openssl rand -hex 32`"
        )
    return token
