"""A client's JSON Schema in, whether it can be compiled in a reasonable time out: tried in a process that can be ended.

What few words ask for may take hours (one text that follows twenty patterns at once; multiples of a million take seconds
each), and a thread that compiles cannot be stopped. Everybody else would wait for it.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from wellread.serving.failures import Failure

SECONDS = 10.0
"""For the trial, with the start of its process."""
KEPT = 256
"""Schemas that were tried, and are not tried again."""
PROGRAM = """
import sys
from llguidance import LLMatcher, LLTokenizer
LLMatcher(LLTokenizer("byte"), LLMatcher.grammar_from_json_schema(sys.stdin.read()), log_level=0).compute_logit_bias()
"""
"""Whether the schema can be followed is said where it is compiled in earnest; here it is only the time."""
COSTLY = ("pattern", "allOf", "anyOf", "oneOf", "$ref", "not", "multipleOf")
"""A schema without any of these words is compiled at once."""


class Trial:
    """One schema at a time."""

    def __init__(self, seconds: float = SECONDS, program: str = PROGRAM) -> None:
        self._seconds, self._program = seconds, program
        self._known: OrderedDict[str, bool] = OrderedDict()
        self._lock = asyncio.Lock()

    async def check(self, schema: Mapping[str, Any] | None) -> None:
        """Raises Failure (400) for a schema that takes too long."""
        text = "" if schema is None else json.dumps(schema)
        if not any(word in text for word in COSTLY) or find_spec("llguidance") is None:
            return
        if text not in self._known:  # what is known waits for nobody's trial
            async with self._lock:
                if text not in self._known:
                    self._known[text] = await asyncio.to_thread(self._in_time, text)
                    if len(self._known) > KEPT:
                        self._known.popitem(last=False)
        if not self._known.get(text, True):
            raise Failure(400, f"this JSON Schema takes more than {self._seconds:g} s to compile: fewer patterns, smaller multiples.",
                          "too_costly", "response_format")  # fmt: skip

    def _in_time(self, text: str) -> bool:
        command = [sys.executable, "-c", self._program]
        try:
            subprocess.run(command, input=text.encode(), capture_output=True, timeout=self._seconds, check=False)
        except subprocess.TimeoutExpired:
            return False
        return True
