"""What several test files need."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

# Machines differ: a slow example is no failure.
settings.register_profile("package", deadline=None)
settings.load_profile("package")

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
SHIPPED = ROOT / "models" / "de-news-small"

needs_gold = pytest.mark.skipif(
    not (SHARED / "gold" / "dev.jsonl").exists(), reason="../shared/gold is not here"
)


@pytest.fixture(scope="session")
def classifier():
    from boilerplate_clf import Classifier

    return Classifier(threads=2)


@pytest.fixture
def bundle(tmp_path):
    """A copy of the shipped bundle that a test may damage."""
    folder = tmp_path / "bundle"
    shutil.copytree(SHIPPED, folder)
    return folder


@pytest.fixture
def edit_manifest(bundle):
    """Change bundle.json: edit(lambda manifest: ...)."""

    def edit(change):
        path = bundle / "bundle.json"
        value = json.loads(path.read_text())
        value.pop("digest")
        change(value)
        path.write_text(json.dumps(value))
        return bundle

    return edit


@pytest.fixture
def nothing_runs(monkeypatch, request):
    """Fail where an ONNX session is opened, except in tests marked ``may_run``."""
    import onnxruntime

    if "may_run" not in request.keywords:
        monkeypatch.setattr(onnxruntime.InferenceSession, "__init__", lambda *_, **__: pytest.fail("it ran"))


def list_anew(folder, name):
    """Make bundle.json list a file as it is now."""
    data = (folder / name).read_bytes()
    manifest = json.loads((folder / "bundle.json").read_text())
    manifest.pop("digest", None)
    manifest["files"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    (folder / "bundle.json").write_text(json.dumps(manifest))


def replace_file(folder, name, data):
    """Put other contents into a bundle's file, and into its manifest."""
    (folder / name).write_bytes(data)
    list_anew(folder, name)
