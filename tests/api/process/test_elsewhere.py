"""Workers import what is installed, whatever lies in the folder the service is started from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

ROOT = Path(__file__).parents[3]
HOSTILE = "raise SystemExit('imported from the working directory')\n"


def test_a_folder_with_packages_of_our_names_serves_all_the_same(tmp_path: Path, home: Path, redis_url: str) -> None:
    for name in ("api", "engine", "cli", "campaigns"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(HOSTILE, encoding="utf-8")
    command = [sys.executable, "-P", "-c", "from cli.main import run; run()", "serve", "--json"]
    process = subprocess.Popen(
        [*command, "--workers", "2", "--port", "0", "--home", str(home)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "REGULARS_REDIS_URL": redis_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = ""
        while not line.rstrip().endswith("}"):
            more = process.stdout.readline()
            assert more, process.communicate(timeout=10)[1]
            line += more
        url = json.loads(line)["address"]
        end = time.monotonic() + 60
        while True:
            try:
                with urlopen(f"{url}/health/live", timeout=5) as answer:  # noqa: S310 - our own server
                    assert answer.status == 200
                    break
            except OSError:
                assert process.poll() is None, process.communicate(timeout=10)[1]
                assert time.monotonic() < end, "the workers never answered"
                time.sleep(0.2)
    finally:
        process.terminate()
        process.communicate(timeout=30)
