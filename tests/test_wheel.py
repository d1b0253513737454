"""The wheel holds every file and runs anywhere; the source archive holds all that is needed to work on it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("engine", "training", "campaigns", "api", "cli", "demo")
BUILD = "import sys; from setuptools import build_meta as b; out = sys.argv[1]; b.build_sdist(out); b.build_wheel(out)"


def tracked() -> list[str]:
    """Return the files that git tracks or would track, relative to the root."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout")
    listed = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [name for name in names.split("\0") if name and (ROOT / name).is_file()]


def environment() -> dict[str, str]:
    """Return the environment without variables that change what Python imports or what Regulars reads."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "REGULARS_"))}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the wheel and the source archive, built without the network from a copy of the checkout."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for name in tracked():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, source / name)
    command = [sys.executable, "-c", BUILD, str(out)]
    done = subprocess.run(command, cwd=source, env=environment(), check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return out


def test_the_wheel_holds_every_file_of_every_room(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        held = set(wheel.namelist())
    wanted = {name for name in tracked() if name.split("/")[0] in ROOMS}
    assert "engine/py.typed" in wanted
    assert any(name.startswith("engine/database/migrations/") for name in wanted)
    assert any(name.startswith("engine/segments/ready/") for name in wanted)
    assert any(name.startswith("campaigns/definition/ready/") for name in wanted)
    assert wanted - held == set()


def test_the_wheel_holds_no_tests_and_no_benchmarks(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(ROOMS)


def test_the_source_archive_holds_tests_documents_lock_and_benchmarks(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {name for name in tracked() if name.split("/")[0] in {*ROOMS, "tests", "docs", "benchmarks"}}
    wanted |= {"CHANGELOG.md", "LICENSE", "Makefile", "README.md", "pyproject.toml", "requirements.lock"}
    assert wanted - held == set()


def test_the_installed_wheel_runs_the_demo_beside_hostile_folders(built: Path, tmp_path: Path) -> None:
    venv, elsewhere = tmp_path / "venv", tmp_path / "elsewhere"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    install = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*install, str(next(built.glob("*.whl")))], check=True, env=environment())
    site = next((venv / "lib").glob("python*/site-packages"))
    # A folder named in a .pth file is searched, but .pth files inside it are not run: an editable install stays out.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    for room in ("engine", "api"):
        (elsewhere / room).mkdir(parents=True)
        (elsewhere / room / "__init__.py").write_text("raise RuntimeError('the working directory was imported')\n")
    run = [str(venv / "bin" / "regulars")]
    run += ["demo", "--once", "--json", "--customers", "200", "--home", str(tmp_path / "home")]
    done = subprocess.run(run, cwd=elsewhere, env=environment(), check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert isinstance(json.loads(done.stdout), dict)
