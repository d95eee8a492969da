"""What several test files need."""

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
