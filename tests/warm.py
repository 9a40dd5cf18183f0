"""Processes of the product that begin with the packages loaded: a suite starts eighty, and loading takes each a second.

A server of multiprocessing that has imported them forks itself. What is ours, settings first, every process loads as
ever: they depend on its environment. `manage.py up` starts its processes anew, also when a test starts it.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO

from terminal.children import Child, Process, die_with_parent, launched

PACKAGES = (
    "celery.apps.beat",
    "celery.apps.worker",
    "celery.bin.celery",
    "cryptography.hazmat.primitives.ciphers.aead",
    "django.contrib.postgres.fields",
    "django.core.handlers.asgi",
    "django.core.management",
    "django.db.backends.postgresql.base",
    "django.forms",
    "django.template.defaulttags",
    "django.test.client",
    "django.urls",
    "django.views.generic",
    "httpx",
    "kombu.transport.redis",
    "numpy",
    "orjson",
    "picows",
    "prometheus_client",
    "psycopg_pool",
    "redis.asyncio",
    "requests",
    "scipy.special",
    "structlog",
    "twisted.python.log",
    "yaml",
)
"""None that reads Django's settings, starts a thread or opens an event loop when it is loaded."""

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(list(PACKAGES))


def install() -> None:
    """From now on children of this process that are Python begin warm."""
    Child.launch = staticmethod(launch_warm)


def launch_warm(child: Child) -> Process:
    if child.command[0] != sys.executable or child.capture or child.user is not None:
        return launched(child)
    return WarmProcess(child)


class WarmProcess:
    """As subprocess.Popen."""

    def __init__(self, child: Child) -> None:
        self.stdout: IO[bytes] | None = None
        self._command = child.command
        if child.log:
            child.log.touch()  # as subprocess would leave it, whatever the process comes to
        order = (child.name, child.command[1:], child.environment, child.folder, child.log, child.stop_signal)
        self._process: BaseProcess = _context.Process(target=become, args=order, daemon=True)
        self._process.start()
        self.pid = int(self._process.pid or 0)

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self._command, timeout or 0.0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()


def become(
    name: str,
    arguments: list[str],
    environment: dict[str, str],
    folder: Path | None,
    log: Path | None,
    stop_signal: int,
) -> None:
    """What the interpreter would do with this command line."""
    os.setsid()
    die_with_parent(stop_signal, os.getppid())()
    Path("/proc/self/comm").write_text(name)  # their command lines are all alike
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder or ".")
    write_to(log or Path(os.devnull))
    try:
        run(arguments)
    finally:
        atexit._run_exitfuncs()  # which a forked process of multiprocessing passes by


def write_to(log: Path) -> None:
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
        os.dup2(output, number)
        stream.reconfigure(line_buffering=True, write_through=True)
    os.close(output)


def run(arguments: list[str]) -> None:
    first, *others = arguments
    sys.argv = arguments
    if first == "-m":
        sys.argv = others
        runpy.run_module(others[0], run_name="__main__", alter_sys=True)
    elif first == "-c":
        sys.argv = ["-c", *others[1:]]
        exec(compile(others[0], "<string>", "exec"), {"__name__": "__main__"})
    else:
        runpy.run_path(first, run_name="__main__")
