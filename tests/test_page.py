"""The page at / in a real browser: Debian's chromium, driven by Playwright."""

import random
import shutil
from contextlib import contextmanager

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")
pytest.importorskip("trafilatura", reason="the extra 'html' is not installed")
pytest.importorskip("playwright", reason="Playwright is not installed")
pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from boilerplate_clf.bundle import load_bundle
from boilerplate_clf.inference.decide import decide
from boilerplate_clf.inference.removal import find_cuts, without

from .conftest import ROOT, SHIPPED
from .serving import serving
from .test_html import PAGE

ARTICLE = (ROOT / "src/boilerplate_clf/serve/page/example.txt").read_text(encoding="utf-8").strip()
TOKEN = "0123456789abcdef"
CHROMIUM = shutil.which("chromium")

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="chromium is not installed (apt-get install chromium)"
)


@pytest.fixture(scope="module")
def port(classifier):
    with serving(classifier, document_chars=100_000) as number:
        yield number


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


class Watch:
    """What a page asked for and complained about."""

    def __init__(self, page):
        self.requests, self.complaints = [], []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def api(self):
        return [url for url in self.requests if "/v1/predict" in url]


@contextmanager
def opened(browser, port, path="/", expected=(), **options):
    """Open a page; at its end see that all requests stayed here, and nothing but the expected went wrong."""
    options = {"locale": "de-DE", "viewport": {"width": 1280, "height": 900}} | options
    context = browser.new_context(**options)
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.watch = Watch(page)
    page.goto(f"http://127.0.0.1:{port}{path}")
    yield page
    assert all(url.startswith(f"http://127.0.0.1:{port}/") for url in page.watch.requests)
    assert not [c for c in page.watch.complaints if not any(text in c for text in expected)]
    context.close()


def label(page, text=ARTICLE):
    page.get_by_label("Text des Artikels").fill(text)
    page.get_by_role("button", name="Absätze erkennen").click()
    expect(page.get_by_role("status")).to_contain_text("Fertig")


def chips(page):
    return page.locator("#list .chip").all_inner_texts()


def axe(page):
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


def test_paste_labels_modes_and_copy(browser, port, classifier):
    names = {
        "content": "Inhalt",
        "subscription_appeal": "Abo-Werbung",
        "donation_request": "Spendenaufruf",
        "comment_policy": "Kommentarregeln",
    }
    lines = ARTICLE.splitlines()
    doubtful = "Bitte helfen Sie uns!"  # flagged in `best-guess`, not in `careful`
    article = "\n".join([*lines[:5], doubtful, *lines[5:]])
    with opened(browser, port, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.evaluate("text => navigator.clipboard.writeText(text)", article)
        page.get_by_label("Text des Artikels").click()
        page.keyboard.press("Control+V")
        page.get_by_role("button", name="Absätze erkennen").click()
        expect(page.get_by_role("status")).to_contain_text("Fertig")
        document = classifier.predict(article)
        assert page.locator("#list .text").all_inner_texts() == [p.text for p in document]
        seen = {}
        for mode, name in (
            ("balanced", "Ausgewogen"),
            ("careful", "Vorsichtig"),
            ("best-guess", "Bester Tipp"),
        ):
            page.get_by_role("radio", name=name).check()
            wanted = document.rethreshold(mode)
            assert chips(page) == [names[p.label] for p in wanted]
            page.get_by_role("tab", name="Bereinigt").click()
            assert page.locator("#clean-text").text_content() == wanted.clean_text
            page.get_by_role("tab", name="Entfernt").click()
            assert page.locator("#removed-list .text").all_inner_texts() == [p.text for p in wanted.removed]
            page.get_by_role("tab", name="Absätze").click()
            seen[mode] = len(wanted.removed)
        # The switch is seen to do something.
        assert seen["careful"] < seen["best-guess"]
        assert seen["careful"] <= seen["balanced"] <= seen["best-guess"]
        assert len(page.watch.api()) == 1  # and asks nobody for it
        page.get_by_role("tab", name="Bereinigt").click()
        page.get_by_role("button", name="Text kopieren").click()
        expect(page.get_by_role("button", name="Kopiert.")).to_be_visible()
        assert (
            page.evaluate("navigator.clipboard.readText()") == document.rethreshold("best-guess").clean_text
        )


def test_scores_on_hover_and_why(browser, port):
    with opened(browser, port) as page:
        page.get_by_role("button", name="Beispiel").click()
        expect(page.get_by_role("status")).to_contain_text("Fertig")
        least = load_bundle(SHIPPED).thresholds["balanced"]["subscription_appeal"]
        first = page.locator(".paragraph").nth(7)
        expect(first.locator(".hover")).to_be_hidden()
        first.locator(".meta").hover()
        expect(first.locator(".hover")).to_be_visible()
        expect(first.locator(".hover")).to_contain_text(f"nötig {int(100 * least + 0.5)} %")
        why = page.get_by_role("button", name="Warum? Absatz 8")
        why.click()
        expect(why).to_have_attribute("aria-expanded", "true")
        expect(first.locator("q").first).to_be_visible()
        assert first.locator("q").first.inner_text() in ARTICLE
        assert len(page.watch.api()) == 2
        page.get_by_role("button", name="Warum? Absatz 9").click()  # the answer has all of them
        expect(page.locator(".paragraph").nth(8).locator(".because")).not_to_be_empty()
        assert len(page.watch.api()) == 2
        content = page.get_by_role("button", name="Warum? Absatz 4")
        content.click()
        expect(page.locator("#why-3")).to_contain_text("„Inhalt“ ist am wahrscheinlichsten")
        axe(page)


def test_pages_and_files(browser, port, tmp_path, classifier):
    with opened(browser, port) as page:
        page.get_by_label("Text des Artikels").fill(PAGE)
        page.get_by_role("radio", name="HTML").check()
        page.get_by_role("button", name="Absätze erkennen").click()
        expect(page.get_by_role("status")).to_contain_text("Fertig")
        document = classifier.predict_html(PAGE)
        page.get_by_role("tab", name="Bereinigt").click()
        assert page.locator("#clean-text").text_content() == document.clean_text
        expect(page.get_by_text("bricht anscheinend an einer Bezahlschranke ab")).to_be_visible()
        (tmp_path / "artikel.txt").write_text(ARTICLE, encoding="utf-8")
        page.locator("#file").set_input_files(tmp_path / "artikel.txt")
        expect(page.locator("#counts")).to_contain_text("16 Absätze")
        expect(page.get_by_role("radio", name="Text")).to_be_checked()
        # Dropped, as a browser hands it over.
        drop = """text => {
            const data = new DataTransfer();
            data.items.add(new File([text], "seite.html", {type: "text/html"}));
            const event = new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true});
            document.querySelector("#drop").dispatchEvent(event);
        }"""
        page.evaluate(drop, PAGE)
        expect(page.locator("#counts")).to_contain_text(f"{len(document)} Absätze")
        expect(page.get_by_role("radio", name="HTML")).to_be_checked()
        (tmp_path / "latin.txt").write_bytes("Über".encode("latin-1"))
        page.locator("#file").set_input_files(tmp_path / "latin.txt")
        expect(page.get_by_role("alert")).to_have_text("Die Datei lässt sich nicht lesen.")


def test_errors_are_said(browser, port):
    with opened(browser, port, expected=("status of 413", "status of 429", "ERR_FAILED")) as page:
        button, alert = page.get_by_role("button", name="Absätze erkennen"), page.get_by_role("alert")
        button.click()
        expect(alert).to_have_text("Bitte zuerst einen Text einfügen.")
        expect(page.get_by_label("Text des Artikels")).to_be_focused()
        page.get_by_label("Text des Artikels").fill("x" * 100_001)
        button.click()
        expect(alert).to_contain_text("Das ist mehr, als der Server annimmt.")
        expect(alert).to_contain_text("at most 100,000 are taken")
        axe(page)
        page.get_by_label("Text des Artikels").fill("\ufeff")
        button.click()
        expect(alert).not_to_be_empty()
        body = '{"error": {"type": "too_many_requests", "message": "come back later"}}'
        page.route("**/v1/predict", lambda route: route.fulfill(status=429, body=body))
        page.get_by_label("Text des Artikels").fill("Ein Satz.")
        button.click()
        expect(alert).to_contain_text("Der Server ist ausgelastet.")
        page.unroute("**/v1/predict")
        page.route("**/v1/predict", lambda route: route.abort())
        button.click()
        expect(alert).to_have_text("Der Server antwortet nicht.")
        page.unroute("**/v1/predict")
        button.click()
        expect(page.get_by_role("status")).to_contain_text("Fertig")
        expect(alert).to_be_empty()


def test_a_server_with_a_token(browser, classifier, tmp_path):
    (tmp_path / "token").write_text(TOKEN)
    with (
        serving(classifier, token_file=str(tmp_path / "token")) as port,
        opened(browser, port, expected=("status of 401",)) as page,
    ):
        field = page.get_by_label("Zugangstoken")
        expect(field).to_be_visible()
        expect(page.get_by_role("alert")).to_contain_text("verlangt ein gültiges Token")
        field.fill("falsch")
        page.get_by_label("Text des Artikels").fill(ARTICLE)
        page.get_by_role("button", name="Absätze erkennen").click()
        expect(page.get_by_role("alert")).to_contain_text("verlangt ein gültiges Token")
        field.fill(TOKEN)
        label(page)
        assert "Abo-Werbung" in chips(page)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 320)])
def test_nothing_is_in_anybody_s_way(browser, port, scheme, width):
    view = {"width": width, "height": 800}
    with opened(browser, port, color_scheme=scheme, viewport=view) as page:
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        axe(page)
        assert not page.evaluate(wide)
        label(page, ARTICLE + "\n" + "Wort" * 200)
        page.get_by_role("button", name="Warum? Absatz 8").click()
        expect(page.locator("#why-7 q").first).to_be_visible()
        for name in ("Absätze", "Bereinigt", "Entfernt"):
            page.get_by_role("tab", name=name).click()
            axe(page)
            assert not page.evaluate(wide)
    with opened(browser, port, "/docs", color_scheme=scheme, viewport=view) as page:
        expect(page.get_by_role("heading", name="POST /v1/predict")).to_be_visible()
        axe(page)
        assert not page.evaluate(wide)


def test_by_keyboard_alone(browser, port):
    with opened(browser, port) as page:
        expect(page.locator("#model")).not_to_be_empty()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Zum Ergebnis springen")).to_be_focused()

        def go_to(locator):
            for _ in range(60):
                if locator.evaluate("node => node === document.activeElement"):
                    return
                page.keyboard.press("Tab")
            raise AssertionError("cannot be reached")

        go_to(page.get_by_label("Text des Artikels"))
        page.keyboard.insert_text(ARTICLE)
        go_to(page.get_by_role("button", name="Absätze erkennen"))
        page.keyboard.press("Enter")
        expect(page.locator("#result")).to_be_focused()
        go_to(page.get_by_role("radio", name="Ausgewogen"))
        page.keyboard.press("ArrowLeft")
        expect(page.get_by_role("radio", name="Vorsichtig")).to_be_checked()
        go_to(page.get_by_role("tab", name="Absätze"))
        page.keyboard.press("ArrowRight")
        expect(page.locator("#clean")).to_be_visible()
        page.keyboard.press("End")
        expect(page.locator("#removed")).to_be_visible()
        page.keyboard.press("Home")
        go_to(page.get_by_role("button", name="Warum? Absatz 1", exact=True))
        page.keyboard.press("Enter")
        expect(page.locator("#why-0")).to_be_visible()


def test_two_languages(browser, port):
    with opened(browser, port, locale="en-GB") as page:
        assert page.evaluate("document.documentElement.lang") == "en"
        page.get_by_role("button", name="Example").click()
        expect(page.get_by_role("status")).to_contain_text("Done")
        assert "subscription appeal" in chips(page)
        page.get_by_role("button", name="Deutsch").click()
        assert page.evaluate("document.documentElement.lang") == "de"
        assert "Abo-Werbung" in chips(page)
        page.reload()
        expect(page.get_by_role("button", name="Absätze erkennen")).to_be_visible()  # it is remembered
        shape = """async () => {
            const { LANGUAGES } = await import("/static/words.js");
            const shape = words => Object.entries(words).map(([key, value]) =>
                value && typeof value === "object" ? [key, shape(value)] : [key, typeof value]);
            return Object.values(LANGUAGES).map(words => JSON.stringify(shape(words)));
        }"""
        assert len(set(page.evaluate(shape))) == 1
        words = """async () => {
            const { LANGUAGES } = await import("/static/words.js");
            return [...document.querySelectorAll("[data-word], [data-label]")]
                .flatMap(node => Object.values(node.dataset)).filter(word => !(word in LANGUAGES.en));
        }"""
        assert page.evaluate(words) == []


def test_an_article_is_text_and_nothing_else(browser, port):
    text = '<img src=x onerror="document.title=1">\n<script>document.title = 2</script>\n</li><b>Ein Satz.'
    with opened(browser, port) as page:
        page.get_by_label("Text des Artikels").fill(text)
        page.get_by_role("button", name="Absätze erkennen").click()
        expect(page.get_by_role("status")).to_contain_text("Fertig")
        assert page.locator("#list .text").all_inner_texts() == text.split("\n")
        assert page.locator("#list img, #list script, #list b").count() == 0
        assert page.title() == "boilerplate_clf"
        # Were something to slip in, the policy would stop it.
        page.evaluate(
            "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"document.title=1\">')"
        )
        page.wait_for_timeout(200)
        assert page.title() == "boilerplate_clf"
        assert any("Content Security Policy" in complaint for complaint in page.watch.complaints)
        page.watch.complaints.clear()


def test_the_page_decides_as_the_library_does(browser, port, classifier):
    rng = np.random.default_rng(0)
    labels = [str(name) for name in classifier.labels]
    keep = classifier.decider.keep
    scores = rng.dirichlet([0.4] * len(labels), 3000).round(6)
    # Ties, and scores right on a threshold.
    scores[:300] = scores[:300].round(1)
    scores[300:600] = (scores[300:600] * 40).round() / 40
    rules = [classifier.decider.rule(mode) for mode in ("careful", "balanced", "best-guess")]
    rules += [rng.random(len(labels)).round(2).tolist() for _ in range(5)]
    script = """async ({ scores, labels, keep, rules }) => {
        const { decide } = await import("/static/decide.js");
        const named = row => Object.fromEntries(labels.map((label, i) => [label, row[i]]));
        return rules.map(rule => scores.map(row => {
            const { label, likeliest, reason } = decide(named(row), rule && named(rule), labels, keep);
            return [labels.indexOf(label), labels.indexOf(likeliest), reason];
        }));
    }"""
    with opened(browser, port) as page:
        given = {"scores": scores.tolist(), "labels": labels, "keep": labels[keep], "rules": rules}
        found = page.evaluate(script, given)
    for rule, rows in zip(rules, found, strict=True):
        assert [row[0] for row in rows] == decide(scores, rule, keep).tolist()
        assert [row[1] for row in rows] == scores.argmax(axis=1).tolist()
        assert [row[2] for row in rows] == [
            str(reason) for _, reason in classifier.decider.judge(scores, rule)
        ]


def test_the_page_cleans_as_the_library_does(browser, port, classifier):
    rng = random.Random(0)
    lines = ["Ein Satz.", " 🌉 Brücke ", "", "\u00a0", "e\u0301 á", "Jetzt spenden!", "\U0001f1e9\U0001f1ea"]
    cases = []
    for _ in range(300):
        text = rng.choice(["", "\n", " "]) + "\n".join(rng.choices(lines, k=rng.randint(0, 6)))
        document = classifier.predict(text)
        kept = [rng.random() < 0.5 for _ in document]
        marked = document.with_paragraphs(
            [_labelled(p, document.keep_label if k else "x") for p, k in zip(document, kept, strict=True)]
        )
        expected = without(text, find_cuts(text, marked.paragraphs, document.keep_label))
        paragraphs = [{"start": p.start, "end": p.end, "label": str(p.label)} for p in marked]
        cases.append(({"text": text, "paragraphs": paragraphs}, expected))
    script = """async cases => {
        const { cleanText } = await import("/static/decide.js");
        return cases.map(({ text, paragraphs }) => cleanText(text, paragraphs, "content"));
    }"""
    with opened(browser, port) as page:
        assert page.evaluate(script, [case for case, _ in cases]) == [expected for _, expected in cases]


def _labelled(paragraph, label):
    from dataclasses import replace

    return replace(paragraph, label=label)
