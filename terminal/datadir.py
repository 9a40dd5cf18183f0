"""The data folder: generated secrets, and where the embedded servers listen. No Django here."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import tempfile
from pathlib import Path
from typing import Any

SOCKET_PATH_LIMIT = 100
"""A Unix socket's path must fit 108 bytes; PostgreSQL adds its own file name to the folder."""
DATABASE_NAME = "terminal"
DATABASE_USER = "terminal"


class Secrets:
    """Generated secrets, one file each under `<data>/secrets` (folder 0700, files 0600)."""

    def __init__(self, data: Path) -> None:
        self.folder = data / "secrets"

    def get_or_create(self, name: str, length: int = 48) -> str:
        path = self.folder / name
        try:
            return path.read_text().strip()
        except FileNotFoundError:
            return self._create(path, secrets.token_urlsafe(length))

    def _create(self, path: Path, value: str) -> str:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(value)
        try:
            os.link(temporary, path)  # the first of several processes wins, whole
        except FileExistsError:
            value = path.read_text().strip()
        finally:
            temporary.unlink()
        return value


def sockets_folder(data: Path) -> Path:
    """Where the embedded servers' sockets are: in the data folder, or a short temporary path when that is too long."""
    folder = data.resolve() / "sockets"
    if len(os.fsencode(folder / ".s.PGSQL.5432")) <= SOCKET_PATH_LIMIT:
        return folder
    return Path(tempfile.gettempdir()) / sockets_digest(data)


def sockets_digest(data: Path) -> str:
    """A short name of its own for each user and data folder."""
    digest = hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:12]
    return f"terminal-{os.getuid()}-{digest}"


def embedded_database_url(data: Path) -> str:
    return f"postgresql://{DATABASE_USER}@/{DATABASE_NAME}?host={sockets_folder(data)}"


def embedded_redis_url(data: Path) -> str:
    return f"unix://{sockets_folder(data)}/valkey.sock"


def clock_offset(data: Path) -> float:
    """The shift of exchange time that the running `up` wrote, in seconds; 0 when there is none."""
    return float(_simulation(data).get("offset_seconds", 0.0))


def dhan_url(data: Path, name: str, real: str) -> str:
    """Where `up` put the simulator in Dhan's place, so that a second shell does not meet the real one; else `real`."""
    return str(_simulation(data).get("dhan", {}).get(name, real))


def _simulation(data: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((data / "clock.json").read_text()))
    except (FileNotFoundError, ValueError):
        return {}
