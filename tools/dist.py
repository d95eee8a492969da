"""Build the sdist, and from it the wheel, of the last commit: the same bytes wherever and whenever.

    make dist [TAG=v1.2.3]

The commit is exported, so that nothing that lies about in the working tree comes in; its time is that of all
files (SOURCE_DATE_EPOCH); the tools are those of requirements-release.txt. With a tag, the version and the
changelog must be ready for it, and dist/NOTES.md has the changelog's part.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"


def build(source: Path, target: Path, epoch: int) -> list[Path]:
    """Build both from a folder, the wheel from the sdist."""
    environment = dict(os.environ, SOURCE_DATE_EPOCH=str(epoch))
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(target), str(source)]
    subprocess.run(command, env=environment, check=True)
    return sorted([*target.glob("*.tar.gz"), *target.glob("*.whl")])


def notes(changelog: str, version: str) -> str:
    """Return the changelog's part on a version.

    Raises:
        ValueError: it has none, or one without a date.
    """
    part = re.search(rf"^## \[{re.escape(version)}\] - (\S+)\n(.*?)(?=^## |\Z)", changelog, re.M | re.S)
    if part is None:
        raise ValueError(f"CHANGELOG.md has no part on {version}: add one")
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", part[1]):
        raise ValueError(f"CHANGELOG.md says of {version} '{part[1]}': put the day of the release there")
    return part[2].strip() + "\n"


def ready(tag: str) -> str:
    """Return the notes of a tag's release.

    Raises:
        ValueError: version or changelog are not ready for it.
    """
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    version = re.search(r'^version = "(.+)"$', project, re.M)
    if version is None or tag != f"v{version[1]}":
        raise ValueError(f"the tag is {tag}, pyproject.toml has version {version and version[1]}")
    return notes((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), version[1])


def git(*arguments: str) -> bytes:
    """Run git in the checkout."""
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True).stdout


def main() -> None:
    """Build into dist/."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tag", default="")
    tag = parser.parse_args().tag
    if git("status", "--porcelain", "--untracked-files=no").strip():
        sys.exit("dist.py: commit first: what is built is the last commit, and there are changes")
    DIST.mkdir(exist_ok=True)
    for old in [*DIST.glob("*.tar.gz"), *DIST.glob("*.whl"), DIST / "NOTES.md"]:
        old.unlink(missing_ok=True)
    if tag:
        try:
            (DIST / "NOTES.md").write_text(ready(tag), encoding="utf-8")
        except ValueError as error:
            sys.exit(f"dist.py: {error}")
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=BytesIO(git("archive", "HEAD"))) as archive:
            archive.extractall(folder)
        built = build(Path(folder), DIST, int(git("log", "-1", "--format=%ct")))
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in built]
    (DIST / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")
    print("".join(sums), end="")
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *map(str, built)], check=True)


if __name__ == "__main__":
    main()
