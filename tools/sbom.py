"""Write a bill of materials (CycloneDX 1.6, JSON) for the package and for each of its extras into dist/.

    make sbom

What is listed is what a package index gives on that day for the wheel in dist/, on this machine and Python;
each list is checked against CycloneDX's schema. UV_TORCH_BACKEND=cpu spares torch's CUDA packages.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from email.parser import BytesParser
from pathlib import Path
from zipfile import ZipFile

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def extras(wheel: Path) -> list[str]:
    """Return the extras that a wheel declares."""
    with ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return BytesParser().parsebytes(archive.read(name)).get_all("Provides-Extra", [])


def write(wheel: Path, extra: str) -> Path:
    """Install a wheel with one extra, or none, and list what came."""
    stem = wheel.name.split("-py3")[0]
    target = wheel.parent / f"{stem}{'-' + extra if extra else ''}.cdx.json"
    uv = [sys.executable, "-m", "uv"]
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder) / "venv" / "bin" / "python"
        subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, python.parent.parent], check=True)
        wanted = f"boilerplate-clf{f'[{extra}]' if extra else ''} @ {wheel.resolve().as_uri()}"
        subprocess.run([*uv, "pip", "install", "--quiet", "--python", python, wanted], check=True)
        command = [sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible", "--validate"]
        command += [
            "--spec-version",
            "1.6",
            "--mc-type",
            "library",
            "--pyproject",
            str(PROJECT),
        ]
        # The package itself is the list's subject, not one of its parts.
        subprocess.run(
            [*uv, "pip", "uninstall", "--quiet", "--python", python, "boilerplate-clf"], check=True
        )
        subprocess.run([*command, "--output-file", str(target), str(python)], check=True)
    return target


def main() -> None:
    """Write them all."""
    (dist,) = map(Path, sys.argv[1:])
    wheels = list(dist.glob("*.whl"))
    if len(wheels) != 1:
        sys.exit(f"sbom.py: {dist} should hold one wheel: make dist")
    for old in dist.glob("*.cdx.json"):
        old.unlink()
    for extra in ["", *extras(wheels[0])]:
        print(write(wheels[0], extra), flush=True)


if __name__ == "__main__":
    main()
