"""Waiting for what comes by itself, on a machine that may be at work with many other things."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 600.0
"""Seconds after which something is taken for lost: no machine on which these tests end at all needs as long."""


def comes(holds: Callable[[], object]) -> bool:
    """Whether it holds now or later; looked at again and again, until patience is at its end."""
    end = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
