"""Logs as JSON, one object a line. Nothing of an article ever stands in them."""

from __future__ import annotations

import json
import logging
import traceback
from datetime import datetime, timezone
from typing import Any

ACCESS = "boilerplate_clf.access"
ERRORS = "boilerplate_clf.errors"


class JsonFormatter(logging.Formatter):
    """One line a record. Of an exception: its type and where it was raised.

    Messages of exceptions may quote what they choked on, which may be somebody's article.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if record.name == ACCESS and isinstance(record.args, dict):
            line |= record.args
        else:
            line["message"] = record.getMessage()
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            frames = traceback.extract_tb(record.exc_info[2])
            line["trace"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        return json.dumps(line, ensure_ascii=False)


def configuration() -> dict[str, Any]:
    """Return what :func:`logging.config.dictConfig` takes: requests go to standard output."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": f"{__name__}.{JsonFormatter.__name__}"}},
        "handlers": {
            "out": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stdout"},
            "err": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"},
        },
        "loggers": {
            ACCESS: {"handlers": ["out"], "level": "INFO", "propagate": False},
            ERRORS: {"handlers": ["err"], "level": "INFO", "propagate": False},
            "uvicorn": {"handlers": ["err"], "level": "INFO", "propagate": False},
            # They quote from pages that they cannot read.
            **{name: {"level": "CRITICAL"} for name in ("courlan", "htmldate", "justext", "trafilatura")},
        },
    }
