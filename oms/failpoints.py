"""Named places where a process kills itself, or another, on command: tests see what a crash at that moment leaves."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from django.conf import settings


def reach(name: str) -> None:
    """SIGKILL here if a file of this name lies in FAILPOINTS: of the process whose pid it holds, of this one when it is
    empty. Taking it away first makes it happen once."""
    if not settings.FAILPOINTS:
        return
    path = Path(settings.FAILPOINTS, name)
    try:
        pid = path.read_text()
        path.unlink()
    except FileNotFoundError:
        return
    os.kill(int(pid or os.getpid()), signal.SIGKILL)
