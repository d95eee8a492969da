"""`boilerplate-clf serve` as it is started: flags, processes, logs."""

import json
import socket
import subprocess
import sys

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from .serving import TEXT, Process, ask, wait_until

TOKEN = "0123456789abcdef"
COMMAND = [sys.executable, "-m", "boilerplate_clf.cli.main"]


def test_the_command_line(tmp_path):
    with Process(tmp_path, "--max-documents", "1") as server:
        assert (
            ask(server.port, "/v1/predict", {"text": TEXT + "?"}, headers={"X-Request-ID": "eins"}).status
            == 200
        )
        assert ask(server.port, "/v1/predict", {"documents": [{"text": "a"}] * 2}).status == 413
        assert ask(server.port, "/nowhere?text=Altbach").status == 404
        assert server.stop() == 0
    first, second, third = server.accesses
    assert (first["id"], first["method"], first["path"], first["status"]) == (
        "eins",
        "POST",
        "/v1/predict",
        200,
    )
    assert first["bytes_in"] > len(TEXT) and first["ms"] > 0 and first["client"] == "127.0.0.1"
    assert (second["status"], third["path"]) == (413, "/nowhere")
    assert "Altbach" not in "".join(map(json.dumps, server.accesses)) + "".join(server.errors)
    assert all(json.loads(line)["level"] == "info" for line in server.errors)


def test_several_workers(tmp_path):
    with Process(tmp_path, "--workers", "2", environment={"BOILERPLATE_CLF_TOKEN": TOKEN}) as server:
        key = {"Authorization": f"Bearer {TOKEN}"}
        wait_until(lambda: sum("startup complete" in line for line in server.errors) == 2)
        for _ in range(6):
            assert ask(server.port, "/v1/predict", {"text": TEXT}, headers=key).status == 200
        assert ask(server.port, "/v1/predict", {"text": TEXT}).status == 401
        # Whichever worker is asked: the sum of all.
        expected = b'boilerplate_clf_requests_total{route="/v1/predict",status="200"} 6.0'
        wait_until(lambda: expected in ask(server.port, "/metrics", headers=key).body)
        assert server.stop() == 0


def test_wrong_usage(tmp_path):
    def run(*arguments):
        return subprocess.run([*COMMAND, "serve", *arguments], capture_output=True, text=True, check=False)

    done = run("--model", "nowhere")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1) and "no such folder" in done.stderr
    (tmp_path / "token").write_text("kurz")
    done = run("--token-file", tmp_path / "token")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1) and "openssl" in done.stderr
    assert run("--max-documents", "0").returncode == 2
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run("--port", str(taken.getsockname()[1]))
    assert done.returncode == 2 and "in use" in done.stderr and "cannot serve on" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_limit_has_a_flag(monkeypatch):
    from typer.testing import CliRunner

    from boilerplate_clf.cli.main import app
    from boilerplate_clf.serve.settings import Limits

    given = {name: number for number, name in enumerate(Limits.__dataclass_fields__, 2)}
    flags = [name if name.endswith("_seconds") else f"max_{name}" for name in given]
    arguments = [
        part
        for flag, number in zip(flags, given.values(), strict=True)
        for part in (f"--{flag.replace('_', '-')}", str(number))
    ]
    found = []
    monkeypatch.setattr("boilerplate_clf.serve.server.run", found.append)
    for options, expected in ((arguments, Limits(**given)), ([], Limits())):
        done = CliRunner().invoke(app, ["serve", *options])
        assert done.exit_code == 0, done.output
        assert found.pop().limits == expected


def test_a_loud_warning_where_everybody_can_reach_it(monkeypatch):
    from typer.testing import CliRunner

    from boilerplate_clf.cli.main import app

    monkeypatch.setattr("boilerplate_clf.serve.server.run", lambda settings: None)
    for host, loud in (
        ("0.0.0.0", True),
        ("::", True),
        ("127.0.0.1", False),
        ("::1", False),
        ("localhost", False),
    ):
        done = CliRunner().invoke(app, ["serve", "--host", host])
        assert done.exit_code == 0 and ("WITHOUT A TOKEN" in done.stderr) is loud
    monkeypatch.setenv("BOILERPLATE_CLF_TOKEN", TOKEN)
    assert "WITHOUT" not in CliRunner().invoke(app, ["serve", "--host", "0.0.0.0"]).stderr
