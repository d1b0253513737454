"""What is built is whole: the sdist can be tested from, and the wheel runs by itself from any folder."""

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

ROOT = Path(__file__).parents[1]
BUILD = "import setuptools.build_meta as b; print(b.build_wheel('dist')); print(b.build_sdist('dist'))"
HOSTILE = "raise SystemExit('imported from the working directory')\n"
ROOMS = ("engine", "training", "campaigns", "api", "cli", "demo", "benchmarks", "tests", "docs", ".ci")
FILES = ("pyproject.toml", "MANIFEST.in", "README.md", "CHANGELOG.md", "LICENSE", "Makefile", "requirements.lock")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel and the sdist of this tree, built without the network in a copy of it."""
    source = tmp_path_factory.mktemp("source")
    for room in ROOMS:
        shutil.copytree(ROOT / room, source / room, ignore=shutil.ignore_patterns("__pycache__", "*.nbi", "*.nbc"))
    for name in FILES:
        shutil.copy(ROOT / name, source / name)
    done = subprocess.run([sys.executable, "-c", BUILD], cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    (wheel,), (sdist,) = (list((source / "dist").glob(kind)) for kind in ("*.whl", "*.tar.gz"))
    return {"wheel": wheel, "sdist": sdist}


@pytest.fixture(scope="module")
def installed(built: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty environment with the wheel in it; its dependencies are those of the environment that tests run in."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]
    subprocess.run([*pip, str(built["wheel"])], check=True)
    ask = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    own = Path(subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip())
    # A path alone: what makes this project importable in the other environment is not read from there.
    (own / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return folder


def test_the_wheel_holds_what_is_read_at_run_time(built: dict[str, Path]) -> None:
    names = set(zipfile.ZipFile(built["wheel"]).namelist())
    for folder in (
        "engine/segments/ready",
        "campaigns/definition/ready",
        "engine/imports/ready",
        "engine/imports/guess",
    ):
        ready = {f"{folder}/{path.name}" for path in (ROOT / folder).glob("*.yaml")}
        assert ready
        assert ready <= names
    migrations = (ROOT / "engine" / "database" / "migrations").rglob("*.py")
    assert {str(path.relative_to(ROOT)) for path in migrations} <= names
    assert "engine/py.typed" in names
    assert not any(name.startswith(("tests/", "benchmarks/")) for name in names)


def test_the_sdist_can_be_tested_from(built: dict[str, Path]) -> None:
    with tarfile.open(built["sdist"]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {*FILES, "tests/conftest.py", "tests/test_wheel.py", "docs/house.md", ".ci/run"} <= names
    assert {str(path.relative_to(ROOT)) for path in (ROOT / "tests" / "upgrade").glob("*.tgz")} <= names


def test_the_demo_runs_from_a_folder_with_packages_of_our_names(installed: Path, tmp_path: Path) -> None:
    for name in ("api", "engine", "cli"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(HOSTILE, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(installed / "bin" / "regulars"), "demo", "--once", "--json", "--customers", "200"]
    done = subprocess.run(
        [*command, "--home", str(tmp_path / "home")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)
    asked = [str(installed / "bin" / "python"), "-P", "-c", "import engine; print(engine.__file__)"]
    where = subprocess.run(asked, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
    assert Path(where.strip()).is_relative_to(installed)
