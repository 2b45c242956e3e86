"""What can go wrong, as a tree. A message says what, found, next, in one line.

WellreadError
├── UsageError          wrong command, recipe or input: exit 2
│   ├── RecipeError     a recipe that does not parse, or asks for the impossible
│   ├── CorpusError     a text that cannot be read, cleaned or split
│   ├── ModelError      a model that cannot be found or opened
│   └── UnknownName     a name that no table holds ("did you mean …?")
├── RunError            the work itself failed: exit 1
│   └── StorageError    full disk, read-only folder, truncated checkpoint
└── MissingPackage      an optional package is not installed: exit 2, with the command that installs it
"""

from __future__ import annotations


class WellreadError(Exception):
    """Anything wellread says to a person in one line; `exit_code` is what the command line returns."""

    exit_code = 1


class UsageError(WellreadError):
    exit_code = 2


class RecipeError(UsageError):
    pass


class CorpusError(UsageError):
    pass


class ModelError(UsageError):
    pass


class UnknownName(UsageError):
    pass


class RunError(WellreadError):
    pass


class StorageError(RunError):
    pass


class MissingPackage(WellreadError):
    exit_code = 2


def first_line(error: BaseException) -> str:
    """What a library says went wrong, without the advice that follows."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
