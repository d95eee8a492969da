"""What makes a release: notes, licences, workflows."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from .conftest import ROOT

if not (ROOT / "tools").is_dir():
    pytest.skip("no tools/ in a source distribution", allow_module_level=True)


def tool(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


dist, licences = tool("dist"), tool("licences")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PAGE = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")


def test_notes_of_a_release():
    log = "# Changelog\n\n## [1.1.0] - 2026-01-31\n\n- New.\n\n## [1.0.0] - unreleased\n\n- Old.\n"
    assert dist.notes(log, "1.1.0") == "- New.\n"
    with pytest.raises(ValueError, match=r"says of 1\.0\.0 'unreleased'"):
        dist.notes(log, "1.0.0")
    with pytest.raises(ValueError, match=r"no part on 1\.1"):
        dist.notes(log, "1.1")


def test_a_tag_has_to_be_the_version():
    with pytest.raises(ValueError, match="has version"):
        dist.ready("v0.0.1")


@pytest.mark.parametrize(
    ("licence", "kind"),
    [
        ("MIT", "permissive"),
        ("BSD-3-Clause AND 0BSD AND CC0-1.0", "permissive"),
        ("Apache-2.0 WITH LLVM-exception", "permissive"),
        ("MPL-2.0 AND MIT", "weak copyleft"),
        ("LGPL-2.1-only", "weak copyleft"),
        ("GPL-3.0-or-later", "copyleft"),
        ("AGPL-3.0-only AND MIT", "copyleft"),
        ("(GPL-2.0-only OR MIT)", "permissive"),  # whoever takes it may choose
        ("LicenseRef-Nobody-Knows", "unknown"),
        ("", "unknown"),
    ],
)
def test_kinds_of_licences(licence, kind):
    assert licences.kind(licence) == kind


def test_a_table_goes_between_its_markers():
    assert licences.replace("a\n<!-- t -->\nold\n<!-- /t -->\nb", "t", "new") == (
        "a\n<!-- t -->\nnew\n<!-- /t -->\nb"
    )
    with pytest.raises(ValueError, match="lacks the markers of 'u'"):
        licences.replace("a", "u", "new")


def rows(name):
    table = PAGE.partition(f"<!-- {name} -->\n")[2].partition(f"\n<!-- /{name} -->")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_the_licence_of_every_direct_dependency_is_told():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    declared = project.partition("\ndependencies")[2].partition("\n[project.scripts]")[0]
    names = {name.lower() for name in re.findall(r'"([A-Za-z][\w.-]*)(?:\[\w+\])?[<>=]', declared)}
    assert {"numpy", "torch", "trafilatura", "scrapy"} <= names
    told = {re.sub(r"[-_.]+", "-", row[0]).lower(): row for row in rows("dependencies")}
    assert {re.sub(r"[-_.]+", "-", name) for name in names} - set(told) == set()
    for name, _, licence, kind, _ in told.values():
        assert kind.strip("*") == licences.kind("" if licence == "not declared" else licence), name


def test_what_is_no_plain_permissive_licence_is_told_in_words():
    prose = PAGE.partition("<!-- dependencies -->")[0]
    for name, _, _, kind, _ in rows("dependencies"):
        if kind != "permissive":
            assert f"`{name}`" in prose, f"docs/licences.md says nothing of {name} ({kind})"


def test_the_licence_of_all_training_data_is_told():
    told = {row[0].strip("`") for row in rows("corpora")}
    for name in ("shipped", "teacher"):
        config = (ROOT / "configs" / f"{name}.yaml").read_text(encoding="utf-8")
        used = set(re.findall(r"shared/corpora/(\w+)\.txt\.xz", config))
        assert used - told == set()
        for path in set(re.findall(r"shared/gold/([\w.]+)|training/data/([\w.-]+\w)", config)):
            assert "".join(path) in PAGE


def test_actions_are_pinned_alike_and_do_not_keep_the_token():
    pins = {}
    for path in WORKFLOWS:
        text = path.read_text(encoding="utf-8")
        for action, pin in re.findall(r"uses: ([\w./-]+)@(.*)", text):
            assert re.fullmatch(r"[0-9a-f]{40} # v\d+\.\d+\.\d+", pin), f"{path.name}: {action}@{pin}"
            assert pins.setdefault(action, pin) == pin
        workflow = yaml.safe_load(text)
        assert workflow["permissions"] == {} and workflow["concurrency"]
        for job in workflow["jobs"].values():
            assert job["timeout-minutes"] and job["permissions"]
            for step in job["steps"]:
                if step.get("uses", "").startswith("actions/checkout@"):
                    assert step["with"]["persist-credentials"] is False
    assert len(WORKFLOWS) >= 2 and "pypa/gh-action-pypi-publish" in pins


def test_workflows_are_sound():
    zizmor = Path(sys.executable).with_name("zizmor")
    if not zizmor.exists():
        pytest.skip("zizmor is not installed")
    command = [zizmor, "--offline", "--no-progress", ROOT / ".github"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_make_and_workflows_know_the_same_pythons():
    check = tool("check_install")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    pythons = [name.removeprefix("python") for name in check.PYTHONS]
    assert re.findall(r"Python :: (3\.\d+)", project) == pythons
    for path in WORKFLOWS:
        for listed in re.findall(r"python: (\[.*\])", path.read_text(encoding="utf-8")):
            assert yaml.safe_load(listed) == pythons, path.name
