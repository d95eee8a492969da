"""Install wheel and sdist into clean environments, use them, and print a table.

    make check-install

or, say, ``python tools/check_install.py dist --python python3.13 --versions lowest --extra train``. Needs a
package index and uv. Each environment is fresh; ``--versions lowest`` holds each direct dependency at its
lower bound in pyproject.toml. In each, away from the checkout: `predict`, `clean`, `verify`, `doctor`, and
what the extras are for.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ("python3.10", "python3.11", "python3.12", "python3.13")
TEXT = "Der Rat von Altbach hat am Montag getagt.\nUnterstützen Sie unsere Arbeit: Jetzt spenden!\n"
LABELS = ["content", "donation_request"]
PAGE = (
    "<html><head><title>Rat</title></head><body><article>"
    "<p>Der Rat von Altbach hat am Montag den Umbau der alten Mühle beschlossen, nach langer Aussprache.</p>"
    "<p>Die Kosten werden auf zwei Millionen Euro geschätzt; begonnen wird im Frühjahr nach der Schmelze.</p>"
    "</article></body></html>"
)
VERSION = "import platform; print(platform.python_version())"
SHOWN = ("numpy", "onnxruntime", "tokenizers", "typer")
MINUTES = 15


class Environment:
    """A fresh virtual environment, and commands run in it."""

    def __init__(self, python: str, folder: Path) -> None:
        self.folder = folder
        self._uv("venv", "--python", python, str(folder / "venv"))
        self.bin = folder / "venv" / "bin"

    def _run(self, *command: str, stdin: str = "") -> str:
        # Neither the checkout nor what the user installed for himself may help.
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
        done = subprocess.run(
            command,
            input=stdin,
            env=environment | {"PYTHONNOUSERSITE": "1"},
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60 * MINUTES,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()[-600:]}")
        return done.stdout

    def _uv(self, *arguments: str) -> str:
        return self._run(sys.executable, "-m", "uv", "--quiet", *arguments)

    def install(self, file: Path, extras: list[str], versions: str) -> None:
        """Install a wheel or an sdist with newest or lowest dependencies."""
        here = ["--python", str(self.bin / "python")]
        held = []
        if versions == "lowest":
            chosen = str(self.folder / "lowest.txt")
            wanted = [part for extra in extras for part in ("--extra", extra)]
            options = ["--resolution", "lowest-direct", *here, *wanted, "--output-file", chosen]
            self._uv("pip", "compile", *options, str(ROOT / "pyproject.toml"))
            held = ["--constraint", chosen]
        brackets = f"[{','.join(extras)}]" if extras else ""
        self._uv("pip", "install", *here, *held, f"boilerplate-clf{brackets} @ {file.as_uri()}")

    def versions(self) -> dict[str, str]:
        """Return what is installed."""
        # --quiet would leave out the list, too.
        command = [sys.executable, "-m", "uv", "pip", "list", "--python", str(self.bin / "python")]
        rows = json.loads(self._run(*command, "--format", "json"))
        return {row["name"].lower(): row["version"] for row in rows}

    def run_python(self, code: str) -> str:
        """Run some lines."""
        return self._run(str(self.bin / "python"), "-c", code).strip()

    def cli(self, *arguments: str, stdin: str = "") -> str:
        """Run `boilerplate-clf`."""
        return self._run(str(self.bin / "boilerplate-clf"), *arguments, stdin=stdin)


def expect(found: object, wanted: object) -> None:
    """Compare.

    Raises:
        RuntimeError: they differ.
    """
    if found != wanted:
        raise RuntimeError(f"got {found!r}, not {wanted!r}")


def labels(answer: str) -> list[str]:
    """Return the labels of one document, in the JSON of the command line or of the service."""
    found = json.loads(answer)
    (document,) = found if isinstance(found, list) else [found]
    return [paragraph["label"] for paragraph in document["paragraphs"]]


def base(env: Environment) -> None:
    """Use what every install has."""
    env.cli("--help")
    expect(labels(env.cli("predict", "-", "--format", "json", stdin=TEXT)), LABELS)
    expect(env.cli("clean", "-", stdin=TEXT).strip(), TEXT.splitlines()[0])
    env.cli("verify")
    env.cli("doctor")


def html(env: Environment) -> None:
    """Label a page."""
    (env.folder / "page.html").write_text(PAGE, encoding="utf-8")
    expect(labels(env.cli("predict", "page.html", "--format", "json")), ["content", "content"])


def serve(env: Environment) -> None:
    """Start the service, ask it, stop it."""
    log = env.folder / "serve.log"
    with log.open("w") as file:
        command = [str(env.bin / "boilerplate-clf"), "serve", "--port", "0"]
        server = subprocess.Popen(command, stdout=file, stderr=file, cwd=env.folder)
    try:
        deadline = time.monotonic() + 120
        while not (up := re.search(r"running on http://127\.0\.0\.1:(\d+)", log.read_text())):
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the service did not come up: {log.read_text()[-600:]}")
            time.sleep(0.1)
        request = urllib.request.Request(
            f"http://127.0.0.1:{up[1]}/v1/predict",
            json.dumps({"text": TEXT}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            expect(labels(answer.read().decode()), LABELS)
    finally:
        server.terminate()
    expect(server.wait(60), 0)


def annotate(env: Environment) -> None:
    """Label a data set."""
    record = json.dumps({"id": 1, "text": TEXT})
    (env.folder / "crawl.jsonl").write_text(record + "\n", encoding="utf-8")
    env.cli("annotate", "crawl.jsonl", "--output", "labelled")


def train(env: Environment) -> None:
    """Train a small bundle on a table, and use it."""
    shutil.copy(ROOT / "examples" / "own-labels.csv", env.folder / "labels.csv")
    env.cli("train", "labels.csv", "--output", "bundle", "--ngrams-only")
    env.cli("verify", "bundle")
    env.run_python("from boilerplate_clf.extras import require_training; require_training()")


# Extras that adapt another tool are tried by tests/test_integrations.py.
USES: dict[str, Callable[[Environment], None]] = {
    "html": html,
    "serve": serve,
    "annotate": annotate,
    "train": train,
}


def check(python: str, file: Path, extras: list[str], versions: str) -> tuple[list[str], bool]:
    """Install one file on one Python; return its row, and whether all went well."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kind = "wheel" if file.suffix == ".whl" else "sdist"
        row = [python, kind, ", ".join(extras) or "-"]
        try:
            env = Environment(python, folder)
            row[0] = env.run_python(VERSION)
            env.install(file, extras, versions)
            base(env)
            for extra in extras:
                USES[extra](env)
            found = env.versions()
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            return [*row, *["" for _ in SHOWN], f"**failed**: {error}".replace("\n", " ")], False
        return [*row, *(found[name] for name in SHOWN), "ok"], True


def main() -> None:
    """Print the table; exit 1 where anything failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("dist", type=Path)
    parser.add_argument("--python", action="append", help="an interpreter; may be repeated")
    parser.add_argument("--versions", choices=("newest", "lowest"), default="newest")
    parser.add_argument(
        "--extra", action="append", choices=sorted(USES), help="instead of none, and html,serve"
    )
    parser.add_argument("--only", choices=("wheel", "sdist"))
    options = parser.parse_args()
    files = [*options.dist.resolve().glob("*.whl"), *options.dist.resolve().glob("*.tar.gz")]
    if len(files) != len({"wheel", "sdist"}):
        sys.exit(f"check_install.py: {options.dist} should hold one wheel and one sdist: make dist")
    if options.only:
        files = [file for file in files if (file.suffix == ".whl") == (options.only == "wheel")]
    print(f"| Python | from | extras | {' | '.join(SHOWN)} | |\n|{'---|' * (4 + len(SHOWN))}", flush=True)
    good = True
    for python in options.python or PYTHONS:
        for file in files:
            for extras in [options.extra] if options.extra else [[], ["html", "serve"]]:
                row, well = check(python, file, extras, options.versions)
                good = good and well
                print(f"| {' | '.join(row)} |", flush=True)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
