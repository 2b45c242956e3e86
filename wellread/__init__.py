"""wellread teaches a text to a language model, and finds out how well it was read."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wellread.errors import WellreadError as WellreadError
    from wellread.metrics import measure as measure
    from wellread.models import open_model as open_model
    from wellread.pipeline import run as run
    from wellread.pipeline import write_report as write_report
    from wellread.planning import plan as plan
    from wellread.recipe import Recipe as Recipe
    from wellread.recipe import load_recipe as load_recipe
    from wellread.runs import Run as Run
    from wellread.runs import open_run as open_run
    from wellread.types import Corpus as Corpus
    from wellread.types import Document as Document
    from wellread.types import Evidence as Evidence
    from wellread.types import LanguageModel as LanguageModel
    from wellread.types import Measurement as Measurement
    from wellread.types import Sample as Sample
    from wellread.types import Sampling as Sampling
    from wellread.types import Scored as Scored

_HOMES = {
    "WellreadError": "errors",
    "measure": "metrics",
    "open_model": "models",
    "run": "pipeline",
    "write_report": "pipeline",
    "plan": "planning",
    "Recipe": "recipe",
    "load_recipe": "recipe",
    "Run": "runs",
    "open_run": "runs",
    "Corpus": "types",
    "Document": "types",
    "Evidence": "types",
    "LanguageModel": "types",
    "Measurement": "types",
    "Sample": "types",
    "Sampling": "types",
    "Scored": "types",
}
__all__ = [
    "Corpus",
    "Document",
    "Evidence",
    "LanguageModel",
    "Measurement",
    "Recipe",
    "Run",
    "Sample",
    "Sampling",
    "Scored",
    "WellreadError",
    "load_recipe",
    "measure",
    "open_model",
    "open_run",
    "plan",
    "run",
    "write_report",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'wellread' has no attribute {name!r}")
    return getattr(import_module(f"wellread.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
