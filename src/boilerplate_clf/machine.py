"""Versions, instruction sets and threads of this machine: what figures and models are noted down with."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from boilerplate_clf import __version__

_LIBRARIES = ("numpy", "onnxruntime", "tokenizers")
_CPUINFO = Path("/proc/cpuinfo")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")

FEATURES = {
    "AVX2": ("avx2", "AVX2"),
    "AVX512": ("avx512f", "AVX512F"),
    "VNNI": ("avx512_vnni", "avx_vnni", "AVX512VNNI"),
    "AMX": ("amx_int8",),
    "NEON dot product": ("asimddp", "ASIMDDP"),
    "NEON i8mm": ("i8mm",),
}
"""What int8 models run on -> its names in /proc/cpuinfo and in numpy."""


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of Python and of those packages that are installed."""
    found = {"python": platform.python_version()}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def versions() -> dict[str, str]:
    """Return the versions of everything that a prediction goes through."""
    found = versions_of(_LIBRARIES)
    # They may be installed under another name: onnxruntime-gpu, a build of one's own.
    libraries = {name: found.get(name, "unknown") for name in _LIBRARIES}
    return {"python": found["python"], "boilerplate-clf": __version__, **libraries}


def cpu() -> dict[str, Any]:
    """Return the processor's model and its instruction sets, as far as they can be told."""
    fields = _cpuinfo()
    names = {*fields.get("flags", "").split(), *fields.get("Features", "").split()} or _numpy_features()
    return {
        "model": fields.get("model name") or platform.processor() or platform.machine(),
        "architecture": platform.machine(),
        "features": [name for name, spellings in FEATURES.items() if names & {*spellings}],
    }


def hardware() -> str:
    """Return a line that names the processors."""
    return f"{os.cpu_count() or 1} x {cpu()['model']}"


def available_threads() -> int:
    """Return the CPUs that this process may use: affinity and container quota (cgroup v2) count."""
    affinity, quota = _affinity(), _quota()
    count = affinity if affinity is not None else os.cpu_count() or 1
    return max(1, count if quota is None else min(count, int(quota)))


def threads() -> dict[str, Any]:
    """Return how many processors there are, and how many this process may use."""
    quota = _quota()
    return {
        "processors": os.cpu_count() or 1,
        "affinity": _affinity(),
        "cgroup": None if quota is None else f"{quota:g}",
        "used": available_threads(),
    }


def _cpuinfo() -> dict[str, str]:
    """Return the fields of the first processor; nothing outside Linux."""
    try:
        first = _CPUINFO.read_text(encoding="utf-8", errors="replace").split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _numpy_features() -> set[str]:
    """Return what numpy has found out for itself, which it does on every system."""
    core = getattr(np, "_core", None) or np.core
    found = getattr(core._multiarray_umath, "__cpu_features__", {})
    return {name for name, there in found.items() if there}


def _affinity() -> int | None:
    """Return how many processors this process may run on; None: the system does not tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


def _quota() -> float | None:
    """Return the container's share of the processors; None: there is no limit."""
    try:
        quota, period = _QUOTA.read_text(encoding="utf-8").split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        return None
