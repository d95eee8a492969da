"""Requests made from the service's description, good and bad: no 5xx, and answers as described.

    schemathesis run http://127.0.0.1:8000/openapi.json --checks all --max-examples 3000

is the same at length.
"""

import subprocess
import sys

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")
pytest.importorskip("schemathesis", reason="schemathesis is not installed")

from .serving import serving


def test_no_request_makes_the_service_fail(classifier, tmp_path):
    program = [sys.executable, "-c", "from schemathesis.cli import schemathesis as run; run()", "run"]
    with serving(classifier, idle_seconds=5.0) as port:
        done = subprocess.run(
            [*program, f"http://127.0.0.1:{port}/openapi.json", "--checks", "all", "--max-examples", "20",
             "--phases", "coverage,fuzzing", "--seed", "1", "--no-color"],
            cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "No issues found" in done.stdout
