"""Child processes that cannot outlive their parent, and that stop when asked."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, ClassVar, Protocol

PR_SET_PDEATHSIG = 1
LOG_BYTES = 10 * 1024 * 1024
"""A larger log is put aside at the next start, in the place of the one put aside before."""
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(signal_number: int, parent: int) -> Callable[[], None]:
    """For `preexec_fn`: the kernel sends the child this signal when the thread that started it ends."""

    def prepare() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal_number)
        if os.getppid() != parent:  # it died between fork and here
            os._exit(1)

    return prepare


class Process(Protocol):
    """What is used of subprocess.Popen."""

    pid: int
    stdout: IO[bytes] | None

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, number: int) -> None: ...
    def kill(self) -> None: ...


def launched(child: Child) -> Process:
    """A new process with the child's command line."""
    output: IO[bytes] | int = child.log.open("ab") if child.log else subprocess.DEVNULL
    try:
        return subprocess.Popen(  # noqa: S603 our own commands, no shell
            child.command,
            env=child.environment,
            cwd=child.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if child.capture else output,
            stderr=output,
            start_new_session=True,
            user=child.user,
            group=child.user,
            extra_groups=[] if child.user is not None else None,
            preexec_fn=die_with_parent(child.stop_signal, os.getpid()),
        )
    finally:
        if not isinstance(output, int):
            output.close()


class Child:
    """One supervised process: its own session (Ctrl-C goes to the supervisor alone), output to a log file."""

    launch: ClassVar[Callable[[Child], Process]] = staticmethod(launched)

    def __init__(
        self,
        name: str,
        command: Sequence[str | os.PathLike[str]],
        *,
        environment: Mapping[str, str] | None = None,
        log: Path | None = None,
        stop_signal: int = signal.SIGTERM,
        folder: Path | None = None,
        user: int | None = None,
        capture: bool = False,
    ) -> None:
        self.name = name
        self.command = [os.fspath(part) for part in command]
        self.environment = dict(environment) if environment is not None else dict(os.environ)
        self.log = log
        self.stop_signal = stop_signal
        self.folder = folder
        self.user = user
        self.capture = capture
        self.process: Process | None = None
        self._is_asked = False

    def start(self) -> None:
        self._is_asked = False
        self._put_aside_a_large_log()
        self.process = self.launch(self)

    def _put_aside_a_large_log(self) -> None:
        if self.log and self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_name(self.log.name + ".1"))

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def signal(self, number: int) -> None:
        if self.running and self.process:
            self.process.send_signal(number)

    def ask_to_stop(self) -> None:
        """Once: a second signal would end some of them at once."""
        if self.running and not self._is_asked:
            self._is_asked = True
            self.signal(self.stop_signal)

    def stop(self, seconds: float = 10.0) -> None:
        """Ask it to stop; kill its whole session when it does not in time."""
        if self.process is None:
            return
        self.ask_to_stop()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """kill -9 of the process and of whatever it started in its session."""
        if self.process is None:
            return
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            self.process.kill()
        self.process.wait()

    def log_tail(self, lines: int = 12) -> str:
        if self.log is None or not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
