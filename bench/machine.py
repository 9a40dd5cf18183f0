"""What a bench ran on: printed beside every figure, since a figure without its machine says nothing."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def describe() -> dict[str, str | int]:
    """CPU model, cores this process may use, memory in MB, kernel and Python version."""
    return {
        "cpu": _first_value("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mb": int(_first_value("/proc/meminfo", "MemTotal").removesuffix(" kB") or 0) // 1024,
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def _first_value(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
