"""Running the service for tests, and asking it."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import uvicorn

from boilerplate_clf.serve.app import create_app
from boilerplate_clf.serve.schemas import (
    Cleaned,
    CleanedDocuments,
    Document,
    Documents,
    ErrorBody,
    Health,
    ModelFacts,
)
from boilerplate_clf.serve.server import uvicorn_options
from boilerplate_clf.serve.settings import Limits, Settings

ANSWERS = {
    "/v1/predict": (Document, Documents),
    "/v1/clean": (Cleaned, CleanedDocuments),
    "/v1/model": (ModelFacts,),
    "/healthz": (Health,),
    "/readyz": (Health,),
}
TEXT = "Der Rat von Altbach hat am Montag getagt.\nUnterstützen Sie unsere Arbeit: Jetzt spenden!"


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        assert set(self.json) == {"error"}, self.body
        return self.json["error"]


def ask(port, path, body=None, method=None, headers=(), connection=None):
    """Ask, and hold what is answered against the schema."""
    own = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    given = {"Content-Type": "application/json"} if body is not None else {}
    data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
    try:
        own.request(method or ("GET" if body is None else "POST"), path, data, given | dict(headers))
        response = own.getresponse()
        answer = Answer(response.status, response.headers, response.read())
    finally:
        if connection is None:
            own.close()
    if answer.status >= 400:
        ErrorBody.model_validate_json(answer.body)
    elif path in ANSWERS and method != "OPTIONS":
        one, *many = ANSWERS[path]
        model = many[0] if many and set(answer.json) == {"documents"} else one
        found = model.model_validate_json(answer.body)
        # What is absent in the answer is absent in the model: nothing is described that does not come.
        assert found.model_dump(mode="json", exclude_unset=True) == answer.json
    return answer


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def serving(classifier, **changes):
    """Run the service in a thread; yield its port."""
    names = Limits.__dataclass_fields__
    limits = Limits(**{name: value for name, value in changes.items() if name in names})
    rest = {name: value for name, value in changes.items() if name not in names}
    settings = Settings(port=0, limits=limits, **rest)
    config = uvicorn.Config(create_app(settings, classifier), log_config=None, **uvicorn_options(settings))
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


class Process:
    """`boilerplate-clf serve` as a user runs it."""

    def __init__(self, tmp_path, *arguments, environment=()):
        self._out, self._err = tmp_path / "out.jsonl", tmp_path / "err.jsonl"
        command = [sys.executable, "-m", "boilerplate_clf.cli.main", "serve", "--port", "0", *arguments]
        with self._out.open("w") as out, self._err.open("w") as err:
            self.process = subprocess.Popen(
                command, stdout=out, stderr=err, env=dict(os.environ, **dict(environment))
            )
        deadline = time.monotonic() + 60
        self.port = None
        while self.port is None and time.monotonic() < deadline and self.process.poll() is None:
            for line in self.errors:
                if "Uvicorn running on" in line:
                    self.port = int(line.split("127.0.0.1:")[1].split()[0].strip('/"'))
            time.sleep(0.05)

    @property
    def errors(self):
        return self._err.read_text(encoding="utf-8").splitlines()

    @property
    def accesses(self):
        return [json.loads(line) for line in self._out.read_text(encoding="utf-8").splitlines()]

    def __enter__(self):
        assert self.port is not None, self.errors
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop()

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.process.wait(60)
