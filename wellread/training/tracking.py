"""Trackers of experiments beside our own log: transformers' callbacks, by name."""

from __future__ import annotations

from collections.abc import Sequence

from wellread.errors import MissingPackage, RecipeError
from wellread.registry import unknown


def check_trackers(names: Sequence[str]) -> None:
    """Raises RecipeError for a tracker that transformers does not know, MissingPackage for one not installed here."""
    if not names:
        return
    from transformers.integrations import integration_utils

    known = integration_utils.INTEGRATION_TO_CALLBACK
    installed = integration_utils.get_available_reporting_integrations()
    for name in names:
        if name not in known:
            raise RecipeError(unknown(f"tracker {name!r} in report_to", name, list(known)))
        if name not in installed:
            package = {"azure_ml": "azureml-core mlflow", "comet_ml": "comet-ml"}.get(name, name)
            raise MissingPackage(f"report_to: {name} is not installed; run: pip install {package}")
