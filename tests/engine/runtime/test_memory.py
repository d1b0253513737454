"""What is freed is given back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HELD = """
import sys
import numpy as np
from engine.runtime.memory import limit_free_heap
def held():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
if sys.argv[1:] == ["back"]:
    limit_free_heap()
del_me = np.ones(30 * 2**20, np.uint8)
del del_me
before = held()
# Every other of many arrays is freed: what lies between them cannot be given back by moving an end.
arrays = [np.ones(20 * 2**20, np.uint8) for _ in range(10)]
del arrays[::2]
print(held() - before)
"""


def held(*how: str) -> int:
    """Return how many bytes such a process still holds."""
    command = [sys.executable, "-c", HELD, *how]
    return int(subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).parents[3]).stdout)


def test_freed_arrays_between_others_go_back_to_the_system() -> None:
    assert held("back") < 110 * 2**20
    assert held() > held("back") + 50 * 2**20
