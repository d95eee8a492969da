"""The HTTP service: answers, options, limits, errors."""

import json
import socket
import subprocess
import sys
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")
pytest.importorskip("trafilatura", reason="the extra 'html' is not installed")

from boilerplate_clf.errors import ConfigError
from boilerplate_clf.inference.removal import restore
from boilerplate_clf.serve.settings import Limits, Settings, read_token

from .conftest import ROOT
from .serving import TEXT, ask, serving, wait_until
from .test_html import PAGE

EXAMPLE = ROOT / "examples" / "artikel.txt"
TOKEN = "0123456789abcdef"
COMMAND = [sys.executable, "-m", "boilerplate_clf.cli.main"]


@pytest.fixture(scope="module")
def port(classifier):
    with serving(classifier) as number:
        yield number


def test_library_command_line_and_service_give_the_same(port, classifier, tmp_path):
    article = EXAMPLE.read_text(encoding="utf-8")
    records = [
        {"text": article, "meta": {"id": 7, "tags": ["a", None, 1.5]}},
        {"text": "Ein Satz.\r\n\r\n  Noch einer 🌉 \u2028Jetzt spenden! ", "meta": {"x": {}}},
        {"paragraphs": ["Ein Satz.", "", " Jetzt spenden! "], "meta": {"id": 8}},
        {"html": PAGE, "meta": {"id": 9}},
        {"text": "", "meta": {"id": 10}},
    ]
    library = [
        classifier.predict_html(r["html"])
        if "html" in r
        else classifier.predict(r["text"] if "text" in r else r["paragraphs"])
        for r in records
    ]
    expected = [
        document.to_dict(f"{tmp_path}/in.jsonl:{number}", record["meta"])
        for number, (document, record) in enumerate(zip(library, records, strict=True), 1)
    ]
    lines = [{k: v for k, v in r.items() if k != "meta"} | r["meta"] for r in records]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = subprocess.run([*COMMAND, "predict", tmp_path / "in.jsonl"], capture_output=True, check=True)
    assert [json.loads(line) for line in done.stdout.splitlines()] == expected
    sent = [record | {"source": e["source"]} for record, e in zip(records, expected, strict=True)]
    assert ask(port, "/v1/predict", {"documents": sent}).json == {"documents": expected}
    assert [ask(port, "/v1/predict", record).json for record in sent] == expected


def test_cleaning_as_the_library_does(port, classifier):
    article = EXAMPLE.read_text(encoding="utf-8")
    document = classifier.predict(article)
    answer = ask(port, "/v1/clean", {"text": article, "source": "x"}).json
    assert answer["clean_text"] == document.clean_text == classifier.clean(article)
    assert document.removal("x").items() <= answer.items()
    assert restore(answer["clean_text"], answer["cuts"]) == article
    paragraphs = article.splitlines()
    answer = ask(port, "/v1/clean", {"paragraphs": paragraphs}).json
    assert answer["clean_paragraphs"] == classifier.clean(paragraphs)
    assert answer["clean_text"] == "\n".join(answer["clean_paragraphs"]) and "cuts" not in answer
    answer = ask(port, "/v1/clean", {"html": PAGE, "meta": {"id": 3}}).json
    assert "Talbote Plus" not in answer["clean_text"] and answer["metadata"]["author"] == "Ina Weck"
    assert answer["meta"] == {"id": 3}


def test_modes_and_targets(port, classifier):
    article = EXAMPLE.read_text(encoding="utf-8")
    document = classifier.predict(article)
    for option, decision in (
        ({"mode": "careful"}, {"mode": "careful"}),
        ({"mode": "best-guess"}, {"mode": "best-guess"}),
        ({"precision_target": 0.97}, {"precision_target": 0.97}),
    ):
        answer = ask(port, "/v1/predict", {"text": article} | option).json
        assert answer == document.rethreshold(**decision).to_dict()
        answer = ask(port, "/v1/clean", {"text": article} | option).json
        assert answer["clean_text"] == document.rethreshold(**decision).clean_text


def test_explanations_are_the_library_s(port, classifier):
    article = "\n".join(EXAMPLE.read_text(encoding="utf-8").splitlines()[4:14])
    document = classifier.explain(classifier.predict(article))
    assert ask(port, "/v1/predict", {"text": article, "explain": True}).json == document.to_dict()
    assert any(p.because for p in document)


def test_labels_to_keep(port):
    article = EXAMPLE.read_text(encoding="utf-8")
    whole = ask(port, "/v1/predict", {"text": article}).json
    keep = ["content", "donation_request"]
    some = ask(port, "/v1/predict", {"text": article, "keep": keep}).json
    assert some["paragraphs"] == [p for p in whole["paragraphs"] if p["label"] in keep]
    assert some["summary"] == whole["summary"]
    cleaned = ask(port, "/v1/clean", {"text": article, "keep": keep}).json
    assert cleaned["clean_text"].splitlines() == [p["text"] for p in some["paragraphs"]]
    rest = [p for p in whole["paragraphs"] if p["label"] not in keep]
    assert [(p["label"], p["score"]) for p in cleaned["removed"]] == [(p["label"], p["score"]) for p in rest]
    only = ask(port, "/v1/clean", {"text": article, "keep": ["donation_request"]}).json
    assert "Jetzt spenden" in only["clean_text"] and "Behelfsbrücke" not in only["clean_text"]
    assert {p["label"] for p in only["removed"]} >= {"content"}


def test_one_bad_document_does_not_stop_the_others(classifier):
    with serving(classifier, document_chars=1000, paragraphs=20) as port:
        documents = [
            {"text": TEXT},
            {"text": "x" * 1001},
            {"paragraphs": ["x"] * 21},
            {"html": "<p>Ein Satz"},
        ]
        answer = ask(port, "/v1/predict", {"documents": documents})
        assert answer.status == 200
        first, long, many, page = answer.json["documents"]
        assert len(first["paragraphs"]) == 2 and "metadata" in page
        assert long["error"] == {
            "type": "too_large",
            "message": "1,001 characters: at most 1,000 are taken",
            "field": "documents.1.text",
        }
        assert many["error"]["field"] == "documents.2.paragraphs"
        alone = ask(port, "/v1/predict", documents[1])
        assert (alone.status, alone.error["field"]) == (413, "text")
        assert ask(port, "/v1/clean", {"text": "a\n" * 21}).status == 413
        assert ask(port, "/v1/clean", {"text": "a\n" * 20}).status == 200


@pytest.mark.parametrize(
    ("body", "status", "kind", "field"),
    [
        (b"", 400, "invalid_json", None),
        (b"{", 400, "invalid_json", None),
        (b'{"text": "\xff"}', 400, "invalid_json", None),
        (b'{"text": "\\ud800"}', 400, "invalid_json", None),
        (b'{"text": "a", "meta": {"a": ' + b"[" * 5000 + b"]" * 5000 + b"}}", 400, "invalid_json", None),
        (b'{"text": "a", "meta": {"a": ' + b"9" * 9999 + b"}}", 400, "invalid_json", None),
        (b'{"text": "a", "meta": {"a": NaN}}', 422, "invalid_request", "meta"),
        ([], 422, "invalid_request", None),
        ({}, 422, "invalid_request", None),
        ({"text": "a", "html": "b"}, 422, "invalid_request", None),
        ({"text": "a", "documents": []}, 422, "invalid_request", None),
        ({"text": None}, 422, "invalid_request", "text"),
        ({"paragraphs": ["a", 1]}, 422, "invalid_request", "paragraphs.1"),
        ({"documents": [{"text": "a"}, {"url": "b"}]}, 422, "invalid_request", "documents.1"),
        ({"text": "a", "mode": "wild"}, 422, "invalid_request", "mode"),
        ({"text": "a", "mode": "careful", "precision_target": 0.9}, 422, "invalid_request", None),
        ({"text": "a", "precision_target": 0}, 422, "invalid_request", "precision_target"),
        ({"text": "a", "keep": ["nix"]}, 422, "invalid_request", "keep"),
        ({"text": "a", "keep": []}, 422, "invalid_request", "keep"),
        ({"text": "a", "expliain": True}, 422, "invalid_request", "expliain"),
        ({"text": "a", "explain": 1}, 422, "invalid_request", "explain"),
        ({"text": "a", "x" * 5000: True}, 422, "invalid_request", "x" * 200),
    ],
)
def test_what_is_wrong_is_named(port, body, status, kind, field):
    answer = ask(port, "/v1/predict", body)
    assert (answer.status, answer.error["type"], answer.error.get("field")) == (status, kind, field)
    assert answer.error["message"]


def test_errors_outside_the_body(port):
    assert ask(port, "/nowhere").error["type"] == "not_found"
    wrong = ask(port, "/v1/predict")
    assert (wrong.status, wrong.error["type"], wrong.headers["Allow"]) == (405, "method_not_allowed", "POST")
    for headers in ({"Content-Type": "text/plain"}, {"Content-Encoding": "gzip"}, {"Content-Type": ""}):
        assert ask(port, "/v1/predict", {"text": "a"}, headers=headers).status == 415


def test_limits_of_a_request(classifier):
    with serving(classifier, body_bytes=5000, documents=2, explained=1) as port:
        assert ask(port, "/v1/predict", {"text": "a" * 5000}).status == 413
        assert ask(port, "/v1/predict", {"documents": [{"text": "a"}] * 3}).error["field"] == "documents"
        assert ask(port, "/v1/predict", {"documents": []}).json == {"documents": []}
        assert ask(port, "/v1/predict", {"text": TEXT, "explain": True}).status == 200
        answer = ask(port, "/v1/predict", {"documents": [{"text": TEXT}] * 2, "explain": True})
        assert (answer.status, answer.error["field"]) == (413, "explain")


class Slow:
    """A classifier that waits until it is let go on."""

    def __init__(self, classifier):
        self._classifier, self.go = classifier, threading.Event()
        self.go.set()
        self.calls = []

    def __getattr__(self, name):
        return getattr(self._classifier, name)

    def predict_batch(self, documents):
        documents = list(documents)
        self.go.wait(30)
        self.calls.append(len(documents))
        yield from self._classifier.predict_batch(documents)


def in_threads(number, call):
    results = []
    threads = [threading.Thread(target=lambda: results.append(call())) for _ in range(number)]
    for thread in threads:
        thread.start()
    return threads, results


def test_too_many_at_once_and_micro_batches(classifier):
    slow = Slow(classifier)
    with serving(slow, concurrent=5) as port:
        slow.go.clear()
        threads, results = in_threads(5, lambda: ask(port, "/v1/predict", {"text": TEXT}))
        gauge = b"boilerplate_clf_in_flight 5.0"
        wait_until(lambda: gauge in ask(port, "/metrics").body)
        turned_away = ask(port, "/v1/predict", {"text": TEXT})
        assert (turned_away.status, turned_away.error["type"]) == (429, "too_many_requests")
        assert turned_away.headers["Retry-After"] == "1"
        assert ask(port, "/healthz").status == 200
        slow.calls.clear()
        slow.go.set()
        for thread in threads:
            thread.join()
        assert [r.status for r in results] == [200] * 5 and len({r.body for r in results}) == 1
        # What waited while the first was held up went together.
        assert sum(slow.calls) == 5 and max(slow.calls) >= 3
        assert ask(port, "/v1/predict", {"text": TEXT}).status == 200


def test_a_request_that_takes_too_long(classifier):
    slow = Slow(classifier)
    with serving(slow, request_seconds=0.3) as port:
        slow.go.clear()
        answer = ask(port, "/v1/predict", {"text": TEXT})
        assert (answer.status, answer.error["type"]) == (504, "timeout")
        assert ask(port, "/v1/predict", {"text": TEXT}).status == 504  # waits in the queue, and leaves it
        slow.calls.clear()
        slow.go.set()
        wait_until(lambda: ask(port, "/v1/predict", {"text": TEXT}).status == 200)
        assert b"boilerplate_clf_in_flight 0.0" in ask(port, "/metrics").body


def test_nobody_works_for_a_client_that_has_gone(classifier):
    slow = Slow(classifier)
    with serving(slow, concurrent=2) as port:
        slow.go.clear()
        body = json.dumps({"text": TEXT}).encode()
        head = "POST /v1/predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(2)]
        for client in clients:
            client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        wait_until(lambda: b"boilerplate_clf_in_flight 2.0" in ask(port, "/metrics").body)
        for client in clients:
            client.close()
        wait_until(lambda: b"boilerplate_clf_in_flight 0.0" in ask(port, "/metrics").body)
        assert b'route="/v1/predict",status="499"} 2.0' in ask(port, "/metrics").body
        slow.go.set()
        assert ask(port, "/v1/predict", {"text": TEXT}).status == 200


def test_a_model_that_does_not_answer_is_not_ready(classifier, monkeypatch):
    monkeypatch.setattr("boilerplate_clf.serve.app._READY_SECONDS", 0.2)
    slow = Slow(classifier)
    with serving(slow) as port:
        assert ask(port, "/readyz").json == {"status": "ok"}
        slow.go.clear()
        answer = ask(port, "/readyz")
        assert (answer.status, answer.error["type"]) == (503, "not_ready")
        slow.go.set()


def test_an_error_of_ours_tells_nothing_but_its_number(classifier, caplog):
    class Broken(Slow):
        def predict_batch(self, documents):
            documents = list(documents)
            if "geheim" in documents[0]:
                raise RuntimeError("choked on geheim")
            return self._classifier.predict_batch(documents)

    with serving(Broken(classifier)) as port:
        answer = ask(port, "/v1/predict", {"text": "geheim"}, headers={"X-Request-ID": "abc-1"})
        assert (answer.status, answer.error["type"]) == (500, "internal")
        assert "abc-1" in answer.error["message"] and b"geheim" not in answer.body
        assert ask(port, "/v1/predict", {"text": TEXT}).status == 200


def test_tokens(classifier, tmp_path):
    (tmp_path / "token").write_text(TOKEN + "\n")
    with serving(classifier, token_file=str(tmp_path / "token")) as port:
        for path, body in (("/v1/predict", {"text": "a"}), ("/v1/model", None), ("/metrics", None)):
            for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
                answer = ask(port, path, body, headers=headers)
                assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
            assert ask(port, path, body, headers={"Authorization": f"Bearer {TOKEN}"}).status == 200
        assert [ask(port, path).status for path in ("/healthz", "/readyz", "/", "/openapi.json")] == [200] * 4


def test_where_a_token_comes_from(tmp_path):
    file = tmp_path / "token"
    file.write_text(TOKEN)
    assert read_token(str(file), None) == read_token(None, TOKEN) == TOKEN
    assert read_token(None, None) is None
    for content in ("short", "ümlautümlautümlaut", "with blanks in it all"):
        file.write_text(content)
        with pytest.raises(ConfigError, match="openssl rand"):
            read_token(str(file), None)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_token(str(tmp_path / "nowhere"), None)


def test_cors_is_off_unless_set(port, classifier):
    asked = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    assert "Access-Control-Allow-Origin" not in ask(port, "/v1/model", headers=asked).headers
    with serving(classifier, cors_origins=("https://a.example",)) as other:
        answer = ask(other, "/v1/predict", method="OPTIONS", headers=asked)
        assert answer.headers["Access-Control-Allow-Origin"] == "https://a.example"
        denied = ask(other, "/v1/model", headers={"Origin": "https://b.example"})
        assert "Access-Control-Allow-Origin" not in denied.headers


def test_figures_and_facts(port, classifier):
    ask(port, "/v1/predict", {"text": TEXT})
    page = ask(port, "/metrics").body.decode()
    assert 'boilerplate_clf_requests_total{route="/v1/predict",status="200"}' in page
    assert 'boilerplate_clf_paragraphs_total{label="donation_request"}' in page
    facts = ask(port, "/v1/model").json
    assert facts["labels"] == [str(label) for label in classifier.labels]
    assert (
        facts["modes"]["careful"]["comment_policy"]
        == classifier.bundle.thresholds["careful"]["comment_policy"]
    )
    assert facts["modes"]["best-guess"] is None and facts["limits"] == vars(Limits())


def test_the_committed_description_is_the_served_one(port):
    committed = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))
    assert ask(port, "/openapi.json").json == committed, "make openapi writes it anew"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.fixed_dictionaries({"text": st.text(max_size=200)}),
            st.fixed_dictionaries({"paragraphs": st.lists(st.text(max_size=40), max_size=6)}),
        ),
        max_size=4,
    ),
    st.sampled_from(["careful", "balanced", "best-guess"]),
)
def test_any_text_is_answered_as_the_library_does(port, classifier, documents, mode):
    utf8 = json.loads(json.dumps(documents).encode("utf-8", "replace"))
    try:
        json.dumps(documents, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # lone surrogates
        assert ask(port, "/v1/predict", {"documents": documents}).status == 400
        return
    answer = ask(port, "/v1/predict", {"documents": documents, "mode": mode})
    expected = [classifier.predict(d.get("text", d.get("paragraphs"))).rethreshold(mode) for d in utf8]
    assert answer.json == {"documents": [document.to_dict() for document in expected]}


def test_settings_travel_to_workers():
    changed = Settings(port=1, cors_origins=("a",), limits=Limits(documents=3))
    assert Settings.from_json(changed.to_json()) == changed
