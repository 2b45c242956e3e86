"""Where a long text is cut for scoring: which tokens each window is given and which of its predictions count."""

from __future__ import annotations

from typing import NamedTuple


class Window(NamedTuple):
    """Tokens `begin` to `end` of a text; the predictions of `first` to `end` count."""

    begin: int
    first: int
    end: int


def cut(tokens: int, length: int, stride: int) -> list[Window]:
    """The windows of a text of so many tokens: each token counts once, after at least `length - stride` others.

    The first window counts whole; of every other only the last `stride` tokens. Raises ValueError unless
    1 <= stride <= length.
    """
    if not 1 <= stride <= length:
        raise ValueError(f"windows need 1 <= stride <= length; found length={length}, stride={stride}")
    windows = [Window(0, 0, min(length, tokens))] if tokens else []
    while windows and windows[-1].end < tokens:
        begin = len(windows) * stride
        windows.append(Window(begin, begin + length - stride, min(begin + length, tokens)))
    return windows
