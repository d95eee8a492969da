"""Running the service with uvicorn."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from typing import Any

from boilerplate_clf.errors import RunError
from boilerplate_clf.extras import require
from boilerplate_clf.serve.settings import SETTINGS_VARIABLE, Settings

_HEAD_BYTES = 32 * 2**10
_MARGIN_SECONDS = 5


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, and then until everything that was accepted is answered.

    Raises:
        MissingExtraError: the extra ``serve`` is not installed.
        RunError: the server did not come up; uvicorn has logged why.
    """
    for module in ("fastapi", "uvicorn", "prometheus_client", "pydantic"):
        require("serve", module)
    import uvicorn

    from boilerplate_clf.serve.logs import configuration
    from boilerplate_clf.serve.metrics import MULTIPROCESS_VARIABLE

    os.environ[SETTINGS_VARIABLE] = settings.to_json()
    # uvicorn finishes, then raises the signal again, for whoever waits for it: the end is a success.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with ExitStack() as stack:
        if settings.workers > 1:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="boilerplate-clf-"))
            os.environ[MULTIPROCESS_VARIABLE] = folder
        try:
            uvicorn.run(
                "boilerplate_clf.serve.app:from_environment",
                factory=True,
                workers=settings.workers,
                log_config=configuration(),
                **uvicorn_options(settings),
            )
        except SystemExit as end:
            if end.code:
                message = f"cannot serve on {settings.host}:{settings.port}: the log above says why"
                raise RunError(message) from None


def uvicorn_options(settings: Settings) -> dict[str, Any]:
    """Return what uvicorn is told, whoever runs it."""
    from boilerplate_clf.serve.protocol import GuardedProtocol

    limits = settings.limits
    return {
        "host": settings.host,
        "port": settings.port,
        "http": partial(GuardedProtocol, limits=limits),
        "loop": "asyncio",
        "ws": "none",
        "lifespan": "on",
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "timeout_keep_alive": int(limits.idle_seconds),
        "timeout_graceful_shutdown": int(limits.body_seconds + limits.request_seconds) + _MARGIN_SECONDS,
        "h11_max_incomplete_event_size": _HEAD_BYTES,
    }
