"""What stops a stage before its budget is spent: a validation loss that falls no more, or a dose that is reached."""

from __future__ import annotations

from typing import Any

from wellread.conditions import read_condition

BUDGET = "budget"


class Brakes:
    """Looks at every evaluation. `why` says in a few words what stopped the stage; empty while nothing did."""

    def __init__(self, patience: int | None, until: str | None) -> None:
        self._patience, self._until = patience, until
        self._condition = read_condition(until) if until else None
        self._lowest: float | None = None
        self._waited = 0
        self.why = ""

    def look(self, loss: float, dose: float | None) -> None:
        """Take in the validation loss and the dose of one evaluation; of the first, before any step, too."""
        if self._lowest is None or loss < self._lowest:
            self._lowest, self._waited = loss, 0
        else:
            self._waited += 1
        if self._condition is not None and dose is not None and self._condition.holds(dose):
            self.why = f"until: {self._until}, measured {dose:.4g}"
        elif self._patience is not None and self._waited >= self._patience:
            self.why = f"patience: no lower validation loss in {self._waited} evaluations"

    def facts(self) -> dict[str, Any]:
        return {"lowest": self._lowest, "waited": self._waited, "why": self.why}

    def restore(self, facts: dict[str, Any]) -> None:
        self._lowest, self._waited, self.why = facts["lowest"], facts["waited"], facts["why"]
