"""Versions, instruction sets and threads of this machine."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from boilerplate_clf import __version__
from boilerplate_clf.inference.session import available_threads

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


def versions() -> dict[str, str]:
    """Return the versions of everything that a prediction goes through."""
    found = {"python": platform.python_version(), "boilerplate-clf": __version__}
    for name in ("numpy", "onnxruntime", "tokenizers"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # under another name: onnxruntime-gpu, a build of one's own
            found[name] = "unknown"
    return found


def cpu() -> dict[str, Any]:
    """Return the processor's model and its instruction sets, as far as they can be told."""
    fields = _cpuinfo()
    names = {*fields.get("flags", "").split(), *fields.get("Features", "").split()} or _numpy_features()
    return {
        "model": fields.get("model name") or platform.processor() or platform.machine(),
        "architecture": platform.machine(),
        "features": [name for name, spellings in FEATURES.items() if names & {*spellings}],
    }


def threads() -> dict[str, Any]:
    """Return how many processors there are, and how many this process may use."""
    known = hasattr(os, "sched_getaffinity")
    return {
        "processors": os.cpu_count() or 1,
        "affinity": len(os.sched_getaffinity(0)) if known else None,
        "cgroup": _cgroup(),
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


def _cgroup() -> str | None:
    """Return the container's quota in processors; None: there is none."""
    try:
        quota, period = _QUOTA.read_text(encoding="utf-8").split()
        return None if quota == "max" else f"{int(quota) / int(period):g}"
    except (OSError, ValueError):
        return None
