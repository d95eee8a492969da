"""Clients that mean harm, or do not read: the right status, and everybody else is served."""

import gzip
import json
import socket
import threading
import time
from contextlib import contextmanager, suppress

import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")
pytest.importorskip("trafilatura", reason="the extra 'html' is not installed")

from .serving import TEXT, Process, ask, serving, wait_until

HEAD = b"POST /v1/predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def port(classifier):
    limits = {"header_seconds": 1.0, "body_seconds": 1.0, "idle_seconds": 1.0, "connections": 60}
    with serving(classifier, **limits) as number:
        yield number


@contextmanager
def connection(port):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        yield client


def everything(client):
    """Read until the server closes; a reset after the answer is an end, too."""
    found = b""
    try:
        while block := client.recv(65536):
            found += block
    except ConnectionResetError:
        pass
    return found


def status(answer):
    return int(answer.split(b" ", 2)[1])


def error_type(answer):
    return json.loads(answer.split(b"\r\n\r\n", 1)[1])["error"]["type"]


@contextmanager
def others_are_served(port):
    """Ask all the time, and see that every answer comes."""
    done, answers = threading.Event(), []

    def go_on():
        while not done.is_set():
            started = time.monotonic()
            code = ask(port, "/v1/predict", {"text": TEXT}).status
            answers.append((code, time.monotonic() - started))

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield answers
    finally:
        done.set()
        thread.join()
    assert answers and {code for code, _ in answers} == {200}


def test_slow_loris(port):
    with others_are_served(port):
        clients = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(20)]
        silent, clients = clients[:5], clients[5:]
        for client in clients:
            client.sendall(b"POST /v1/predict HTTP/1.1\r\n")
        started = time.monotonic()
        open_ones = list(clients)
        while open_ones and time.monotonic() - started < 15:
            time.sleep(0.1)
            for client in list(open_ones):
                try:
                    client.sendall(b"X-A: b\r\n")
                except OSError:
                    open_ones.remove(client)
        assert not open_ones  # a byte now and then does not buy more time
        for client in silent:
            answer = everything(client)
            assert (status(answer), error_type(answer)) == (408, "head_timeout")
        for client in (*silent, *clients):
            client.close()


def test_a_slow_second_request_on_a_connection(port):
    with connection(port) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert status(client.recv(65536)) == 200
        client.sendall(b"GET /hea")
        answer = everything(client)
        assert (status(answer), error_type(answer)) == (408, "head_timeout")


def test_an_idle_connection_is_closed(port):
    with connection(port) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert everything(client).count(b"HTTP/1.1") == 1


def test_a_slow_body(port):
    with others_are_served(port), connection(port) as client:
        client.sendall(HEAD + b"Content-Length: 1000\r\n\r\n{")
        answer = everything(client)
        assert (status(answer), error_type(answer)) == (408, "body_timeout")


@pytest.mark.parametrize("path", [b"/v1/predict", b"/nowhere"])
def test_an_endless_body(port, path):
    head = HEAD.replace(b"/v1/predict", path) + b"Transfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    with others_are_served(port), connection(port) as client:
        client.sendall(head)
        sent, started = 0, time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - started < 15:
                client.sendall(chunk)
                sent += len(chunk)
        assert sent > 10_000_000
    # The answer comes while the body is still being sent.
    with connection(port) as client:
        client.sendall(head)
        threading.Thread(target=_send_all, args=(client, chunk * 400), daemon=True).start()
        assert status(client.recv(65536)) == (413 if path == b"/v1/predict" else 404)


def _send_all(client, data):
    with suppress(OSError):
        client.sendall(data)


def test_a_large_body_is_refused_unread_and_the_connection_goes_on(port):
    with connection(port) as client:
        client.sendall(HEAD + b"Content-Length: 20000000\r\n\r\n")
        answer = client.recv(65536)
        while not answer.endswith(b"}}"):  # head and body may come one after the other
            answer += client.recv(65536)
        assert status(answer) == 413
        client.sendall(b" " * 20_000_000 + b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert status(client.recv(65536)) == 200


def test_a_client_that_asks_before_it_sends(port):
    with connection(port) as client:
        client.sendall(HEAD + b"Content-Length: 20000000\r\nExpect: 100-continue\r\n\r\n")
        answer = everything(client)
        assert status(answer) == 413 and answer.count(b"HTTP/1.1") == 1
    body = json.dumps({"text": TEXT}).encode()
    with connection(port) as client:
        client.sendall(HEAD + b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(body))
        assert status(client.recv(65536)) == 100
        client.sendall(body)
        assert status(client.recv(65536)) == 200


def test_an_answer_that_nobody_reads(port):
    request = json.dumps({"text": TEXT, "meta": {"a": "x" * 9_900_000}}).encode()
    with others_are_served(port), socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", port))
        client.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(request) + request)
        started = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() - started < 20:
                client.sendall(b" ")
                time.sleep(0.05)


def test_too_many_connections(port):
    clients = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(75)]
    try:
        answers = []
        for client in clients[65:]:
            answers.append(everything(client))
        assert {status(answer) for answer in answers} == {429}
        assert all(b"retry-after: 1" in answer.lower() for answer in answers)
    finally:
        for client in clients:
            client.close()
    time.sleep(0.2)
    assert ask(port, "/healthz").status == 200


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 300_000 + b"\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_not_http(port, request_bytes):
    with connection(port) as client:
        client.sendall(request_bytes)
        answer = everything(client)
        assert status(answer) == 400 and b'{"error":{"type":"invalid_http"' in answer
    assert ask(port, "/healthz").status == 200


def test_a_packed_bomb_is_not_unpacked(port):
    bomb = gzip.compress(b" " * 50_000_000)
    for encoding in ("gzip", "br", "gzip, gzip"):
        answer = ask(port, "/v1/predict", bomb, headers={"Content-Encoding": encoding})
        assert (answer.status, answer.error["type"]) == (415, "unsupported_media_type")
    # A page that is packed is bytes, which JSON cannot hold.
    assert ask(port, "/v1/predict", b'{"html": "' + bomb[:1000] + b'"}').status == 400


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"paragraphs": ["x"] * 100_000}, 413),
        ({"text": "x\n" * 100_000}, 413),
        ({"html": "<html><body>" + "<p>x</p>" * 20_000 + "</body></html>"}, 413),
        ({"html": "<div>" * 50_000}, 200),
        ({"html": "<a href=" * 50_000}, 200),
        ({"text": "x" * 20_000_000}, 413),
        ({"text": "x" * 1_000_001}, 413),
        ({"documents": [{"text": "x"}] * 100_000}, 413),
        ({"text": "\x00\ufeff\u202e\U000e0001" * 1000}, 200),
        (b"[" * 1_000_000, 400),
        (b'{"text":' * 100_000, 400),
        (b'{"text": "a", ' + b'"a": 1, ' * 100_000 + b'"b": 1}', 422),
        (b"\xff\xfe" * 1000, 400),
    ],
    ids=range(13),
)
def test_hostile_bodies(port, body, code):
    with others_are_served(port):
        answer = ask(port, "/v1/predict", body)
        assert answer.status == code, answer.body[:300]


def test_a_long_document_holds_nobody_up(port):
    # All different and all appeals: the model has to read every one of them.
    long = "\n".join(f"Unterstützen Sie die Arbeit der Redaktion mit {i} Euro im Monat!" for i in range(4000))
    with others_are_served(port) as answers:
        started = time.monotonic()
        assert ask(port, "/v1/predict", {"text": long}).status == 200
        taken, meanwhile = time.monotonic() - started, list(answers)
    assert len(meanwhile) > 3 and max(seconds for _, seconds in meanwhile) < taken


@pytest.mark.parametrize("workers", [1, 2])
def test_everything_accepted_is_answered_at_sigterm(tmp_path, workers):
    body = json.dumps({"text": TEXT * 20}).encode()
    request = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    ends, answered = [], []

    def client(port):
        with connection(port) as own:
            for _ in range(10_000):
                try:
                    own.sendall(request)
                except OSError:
                    ends.append("closed before a request")
                    return
                answer = _one(own)
                if answer is None:
                    ends.append("unanswered")
                    return
                answered.append(status(answer))
                if b"connection: close" in answer.lower():
                    ends.append("told")
                    return

    with Process(tmp_path, "--workers", str(workers)) as server:
        wait_until(lambda: sum("startup complete" in line for line in server.errors) == workers)
        threads = [threading.Thread(target=client, args=(server.port,)) for _ in range(16)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(answered) > 32)
        assert server.stop() == 0
        for thread in threads:
            thread.join()
    assert set(answered) == {200}
    assert ends == ["told"] * 16


def _one(client):
    """Read one answer; None: there is none."""
    found = b""
    while b"\r\n\r\n" not in found or len(found.split(b"\r\n\r\n", 1)[1]) < _length(found):
        try:
            block = client.recv(65536)
        except OSError:
            return None
        if not block:
            return None
        found += block
    return found


def _length(answer):
    for line in answer.split(b"\r\n\r\n")[0].split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return int(line.split(b":")[1])
    raise AssertionError(answer)
