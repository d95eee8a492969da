"""Training data: reading, leakage, composing, authored examples."""

import json
import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch", reason="the extra 'train' is not installed")

from boilerplate_clf.bundle import load_bundle, shipped_bundle
from boilerplate_clf.errors import DataError
from boilerplate_clf.inference.chain import Chain
from boilerplate_clf.labels import LABELS
from boilerplate_clf.training.compose import ComposeConfig, Composer
from boilerplate_clf.training.config import load_config
from boilerplate_clf.training.corpus import iter_documents
from boilerplate_clf.training.data import LabelledDocument, count_labels, read_labelled, runs_of_appeals
from boilerplate_clf.training.leakage import find_leaks, shingles, without_leaks
from boilerplate_clf.training.noise import NameSwap, add_noise
from boilerplate_clf.training.selftrain import SelfTrainingConfig, label_pages, teacher_scores

from .conftest import ROOT, SHARED, needs_gold

AUTHORED = ROOT / "training" / "data"
NAMES = ("blocks.jsonl", "lines.jsonl", "pages.jsonl", "pages-rehearsal.jsonl")
PLEA = "Unsere kleine Redaktion lebt davon, dass Menschen wie Sie freiwillig etwas für die Arbeit geben."


def page(*paragraphs, name="seite", publisher="haus"):
    texts, labels = zip(*paragraphs, strict=True)
    return LabelledDocument(name, publisher, texts, labels)


def test_authored_blocks_are_many_and_different():
    blocks = read_labelled(AUTHORED / "blocks.jsonl", LABELS)
    different = Counter(
        label
        for label, _ in {
            (label, frozenset(shingles(text)))
            for block in blocks
            for text, label in zip(block.texts, block.labels, strict=True)
            if len(text.split()) >= 4
        }
    )
    for label in LABELS[1:]:
        assert different[label] >= 400, label
    assert different["content"] >= 800


def test_authored_records_say_what_they_are():
    for name in NAMES:
        for line in (AUTHORED / name).read_text(encoding="utf-8").splitlines():
            record = json.loads(line)
            assert record["kind"] and record["register"], record["page"]
            assert record["variant"] in {"de", "at", "ch", "it", "lu", "be", "li"}, record["page"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON"),
        ("[]", "list 'paragraphs'"),
        ('{"paragraphs": "x"}', "list 'paragraphs'"),
        ('{"paragraphs": [{"text": "x"}]}', "paragraph 0 lacks"),
        ('{"paragraphs": [{"text": "x", "label": "advert"}]}', "label 'advert', not one of content"),
    ],
)
def test_bad_records_name_file_and_line(tmp_path, line, message):
    path = tmp_path / "data.jsonl"
    path.write_text('{"paragraphs": [{"text": "x", "label": "?"}]}\n' + line + "\n")
    with pytest.raises(DataError, match=message) as caught:
        read_labelled(path, LABELS)
    assert f"{path}:2" in str(caught.value)


def test_parquet_holds_the_same_documents(tmp_path):
    import datasets

    source = ROOT / "tests" / "data" / "smoke-dev.jsonl"
    rows = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    datasets.Dataset.from_list(rows).to_parquet(tmp_path / "dev.parquet")
    assert read_labelled(tmp_path / "dev.parquet", LABELS) == read_labelled(source, LABELS)
    with pytest.raises(DataError, match=r"dev\.parquet:1: paragraph \d has label .*, not one of other"):
        read_labelled(tmp_path / "dev.parquet", ["other"])
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(DataError, match=r"bad\.parquet: not a readable Parquet file"):
        read_labelled(tmp_path / "bad.parquet")


def test_unreadable_files(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        read_labelled(tmp_path / "nowhere.jsonl")
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(DataError, match="no documents"):
        read_labelled(tmp_path / "empty.jsonl")
    (tmp_path / "latin.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="not UTF-8"):
        read_labelled(tmp_path / "latin.jsonl")
    (tmp_path / "c.jsonl").write_text("{}\n")
    with pytest.raises(DataError, match=r"c\.jsonl:1"):
        list(iter_documents(tmp_path / "c.jsonl"))


def test_near_duplicates_are_found_and_taken_out():
    changed = PLEA.replace("geben.", "spenden: 10 Euro!")
    evaluation = [page((PLEA, "donation_request"), ("Jetzt spenden", "donation_request"), name="dev")]
    training = [
        page(
            ("Ein ganz anderer Satz, der nichts mit dem obigen gemein hat, steht hier.", "content"), name="a"
        ),
        page(
            ("Vorher.", "content"),
            (changed, "donation_request"),
            ("Jetzt spenden", "donation_request"),
            name="b",
        ),
        page((PLEA.upper(), "donation_request"), name="c"),
    ]
    leaks = find_leaks(training, evaluation)
    assert [(leak.page, leak.paragraph) for leak in leaks] == [("b", 1), ("c", 0)]
    assert [d.texts for d in without_leaks(training, leaks)] == [
        training[0].texts,
        ("Vorher.", "Jetzt spenden"),
    ]


def test_no_line_of_the_benchmark_is_in_the_training_data():
    lines = json.loads((ROOT / "benchmarks" / "lone_lines.json").read_text(encoding="utf-8"))["lines"]
    tested = {line.casefold() for group in lines.values() for line in group}
    trained = {t.casefold() for name in NAMES for d in read_labelled(AUTHORED / name) for t in d.texts}
    assert len(tested) == 100 and not tested & trained


def test_lone_lines_are_single_paragraphs():
    lines = read_labelled(AUTHORED / "lines.jsonl", LABELS)
    assert all(len(line) == 1 for line in lines)
    assert min(count_labels(lines).values()) >= 300


@needs_gold
def test_no_evaluation_text_is_in_what_the_shipped_model_is_trained_on():
    """Authored data against dev and the first article; the pipeline takes gold duplicates out."""
    evaluation = [
        document
        for name in ("dev.jsonl", "article.jsonl")
        for document in read_labelled(SHARED / "gold" / name, LABELS)
    ]
    authored = [d for name in NAMES for d in read_labelled(AUTHORED / name, LABELS)]
    assert find_leaks(authored, evaluation) == []


def test_dev_is_in_no_training_list_of_the_shipped_configuration():
    config = load_config(ROOT / "configs" / "shipped.yaml")
    used = {source.path.name for source in config.corpus}
    used |= {p.name for p in (*config.data.pages, *config.data.blocks, *config.data.lines)}
    used |= {p.name for p in (*config.data.negatives.paths, *config.data.carriers.paths)}
    used |= {p.name for p in config.self_training.unlabelled}
    assert config.data.dev.name == "dev.jsonl"
    assert not used & {"dev.jsonl", "article.jsonl"}
    assert [p.name for p in config.data.never_train] == ["article.jsonl"]


C, D = "content", "donation_request"


def test_runs_of_appeals():
    document = page(("a", C), ("b", D), ("c", C), ("d", D), ("e", C), ("f", C), ("g", D))
    assert runs_of_appeals(document, C) == [(1, 4), (6, 7)]


def test_epochs_are_reproducible_and_hold_every_page_with_appeals():
    pages = [
        page((f"Text {i}.", C), (PLEA, D), *[(f"Satz {j}.", C) for j in range(6)], name=f"p{i}")
        for i in range(4)
    ]
    blocks = [page((f"Gib {i} Euro für uns.", D)) for i in range(5)] + [
        page(("Die Partei bekam Spenden.", C))
    ]
    composer = Composer(pages, blocks, [], C, ComposeConfig(noise=0.0))
    first, again = composer.epoch(random.Random(1)), composer.epoch(random.Random(1))
    assert first == again != composer.epoch(random.Random(2))
    assert {p.page for p in first} >= {"p0", "p1", "p2", "p3"}
    known = {(t, label) for d in [*pages, *blocks] for t, label in zip(d.texts, d.labels, strict=True)}
    for document in first:
        assert set(zip(document.texts, document.labels, strict=True)) <= known


def test_scattered_lines_stand_alone_between_paragraphs_of_an_article():
    article = page(*[(f"Satz {j}.", C) for j in range(9)])
    lines = [page((f"Gib {i} Euro für uns.", D)) for i in range(5)] + [page(("Die Partei bekam Spenden.", C))]
    blocks = [*lines, page((PLEA, D), ("Danke!", D))]
    composer = Composer([], blocks, [article], C, ComposeConfig())
    documents = composer.scattered(200, random.Random(1))
    assert len(documents) == 200
    for document in documents:
        alone = [i for i, text in enumerate(document.texts) if text not in article.texts]
        assert alone, "nothing was set into it"
        assert {(document.texts[i],) for i in alone} <= {line.texts for line in lines}
        for i in alone:
            assert document.texts[i - 1] in article.texts
            assert document.texts[i + 1] in article.texts
    assert {len([t for t in d.texts if t not in article.texts]) for d in documents} == {1, 2, 3}


def test_nothing_is_scattered_without_articles_or_lines():
    article, line = page(*[(f"Satz {j}.", C) for j in range(9)]), page((PLEA, D))
    for blocks, carriers in (([line], []), ([page((PLEA, D), ("Danke!", D))], [article])):
        assert Composer([], blocks, carriers, C, ComposeConfig()).scattered(9, random.Random(1)) == []


@given(st.lists(st.tuples(st.text(), st.sampled_from([C, D, "?"])), min_size=1), st.integers())
def test_noise_keeps_labels_beside_texts(items, seed):
    document = page(*items)
    noisy = add_noise(document, 1.0, random.Random(seed))
    assert len(noisy.texts) == len(noisy.labels)
    assert set(noisy.labels) <= set(document.labels)
    assert add_noise(document, 0.0, random.Random(seed)) == document


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Der Lindentaler Bote fragte nach.", "Der Nordblick fragte nach."),
        ("Das Archiv des LINDENTALER-BOTEN", "Das Archiv des LINDENTALER-BOTEN"),
        ("lindentalerbote plus, 3 Euro", "nordblick plus, 3 Euro"),
        ("LINDENTALER BOTE+", "NORDBLICK+"),
        ("Der Bote kam aus Lindental.", "Der Bote kam aus Lindental."),
    ],
)
def test_a_page_can_bear_the_name_of_another_publisher(text, expected):
    swap = NameSwap(["lindentaler-bote.de", "nordblick.at", "authored", "ab.de"])
    document = LabelledDocument("p", "lindentaler-bote.de", (text,), (C,))
    assert swap(document, random.Random(0)).texts == (expected,)
    unnamed = replace(document, publisher="authored")
    assert swap(unnamed, random.Random(0)) == unnamed
    alone = NameSwap(["lindentaler-bote.de", "authored"])
    assert alone(document, random.Random(0)) == document


def test_only_labels_that_the_teacher_is_sure_of_are_believed():
    labels = ("content", "donation_request")
    document = LabelledDocument("p", "x", tuple("abcdefgh"), ("?",) * 8)
    scores = np.asarray([[0.99, 0.01]] * 3 + [[0.3, 0.7], [0.45, 0.55], [0.7, 0.3], [0.99, 0.01], [0.9, 0.1]])
    plain = LabelledDocument("q", "x", ("a", "b"), ("?",) * 2)
    config = SelfTrainingConfig(least_keep=0.8, least_appeal=0.6, margin=2, keep_pages=1)
    pages = label_pages(
        [document, plain, plain], [scores, scores[:2], scores[:2]], labels, "content", config, 0
    )
    assert pages[0].texts == tuple("bcdef")  # two paragraphs on either side
    assert pages[0].labels == ("content", "content", "donation_request", "?", "?")
    assert [page.page for page in pages[1:]] == ["q"]  # one of the two pages without an appeal


def test_the_teacher_labels_with_its_own_chain_and_weight():
    teacher = load_bundle(shipped_bundle()).manifest
    logits = np.log(np.asarray([[0.1, 0.0, 0.9, 0.0], [0.6, 0.0, 0.4, 0.0], [0.1, 0.0, 0.9, 0.0]]) + 1e-6)
    silent, loud = np.zeros_like(logits), np.log(np.asarray([[0.97, 0.01, 0.01, 0.01]] * 3))
    texts = ["Jetzt spenden", "Ab 5 Euro", "Spendenkonto"]
    alone = teacher_scores(replace(teacher, ngram_weight=0.0), texts, logits, loud)
    assert teacher_scores(teacher, texts, logits, silent) == pytest.approx(alone)
    assert (teacher_scores(teacher, texts, logits, loud)[:, 0] > alone[:, 0]).all()
    softmax = teacher_scores(replace(teacher, chain=Chain(1.0, (), ())), texts, logits, silent)
    assert alone[1, 2] > softmax[1, 2]  # between two donation requests
    repeats = ["Jetzt spenden", "Ab 5 Euro", "Ab 5 Euro"]
    pooled = teacher_scores(replace(teacher, chain=Chain(1.0, (), ())), repeats, logits, silent)
    assert pooled[1] == pytest.approx(pooled[2]) and pooled[1, 2] > softmax[1, 2]


def test_token_dropout_hides_pieces_but_no_special_tokens():
    torch = pytest.importorskip("torch", reason="the extra 'train' is not installed")
    from boilerplate_clf.training.batches import drop_tokens

    ids = torch.arange(2, 1002).repeat(200, 1)
    hidden = drop_tokens(ids, 0.1, 4, (2, 3, 5), torch.Generator().manual_seed(0))
    changed = hidden != ids
    assert not changed[:, [0, 1, 3]].any() and (hidden[changed] == 4).all()
    shares = changed.float().mean(dim=1)
    assert 0.08 < shares.mean() < 0.12 and shares.max() < 0.25 and shares.min() < 0.03


def test_pages_of_the_teacher_are_a_share_of_an_epoch():
    pseudo = [LabelledDocument(f"t{i}", "x", ("Spende!",), ("donation_request",)) for i in range(200)]
    page = LabelledDocument("p", "y", ("Text.",), ("content",))
    config = ComposeConfig(pseudo_page_share=0.25, noise=0)
    epoch = Composer([page], [], [], "content", config, pseudo).epoch(random.Random(0))
    assert 30 < sum(document.page.startswith("t") for document in epoch) < 70
