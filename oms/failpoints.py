"""Named places where a process kills itself on command, so that tests see what a crash at that very moment leaves."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from django.conf import settings


def reach(name: str) -> None:
    """Die here by SIGKILL if a file of this name lies in FAILPOINTS; taking it away first makes it happen once."""
    if not settings.FAILPOINTS:
        return
    try:
        Path(settings.FAILPOINTS, name).unlink()
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
