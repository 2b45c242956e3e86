"""Freed memory stays with the process while it trains on a CPU, and goes back afterwards."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

CHILD = """
import sys, numpy
from wellread.training.heap import freed_memory_kept

def faults():
    import resource
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def steps():
    before = faults()
    for _ in range(20):
        numpy.ones(16 * 2**20)  # 128 MB
    return faults() - before

def resident():
    import psutil
    return psutil.Process().memory_info().rss

alone = steps()
with freed_memory_kept() as kept:
    steps()
    inside, held = steps(), resident()
assert kept
assert inside < alone / 10, (alone, inside)
assert held - resident() > 100 * 2**20
with freed_memory_kept(False) as kept:
    assert not kept
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps what it is told to")
def test_steps_ask_the_kernel_for_memory_once() -> None:
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
