"""A small handbook with its gold questions, for tests of the fair fight."""

from __future__ import annotations

import json
from pathlib import Path

HANDBOOK = """# The Keeper's Handbook

## 1 Lamps

The great lamp burns 14 litres of oil a night. It was lit by Anna Brell in 1871. The small lamp is lit at dusk.

- Trim the wick every four hours.
- Clean the glass at dawn.

## 2 Stores

| Fuel | Price | Store |
|---|---|---|
| Oil | 4 crowns | Cellar |
| Tallow | 2 crowns | Loft |

The keeper must count the barrels on Mondays. The cellar holds 60 barrels.

## 3 Boats

The boat is kept in the slip. The mate must row the doctor across the sound. Each boat carries two lanterns and a bell.

## 4 Visitors

Visitors are received on Sundays. The bell is rung by the youngest keeper. A guest may stay for three nights.
"""
GOLD = [
    ("g1", "How much oil is needed for the great lamp each night?", ["14 litres"], "burns 14 litres of oil a night"),
    ("g2", "Who first lit it?", ["Anna Brell"], "It was lit by Anna Brell in 1871."),
    ("g3", "What is paid for tallow?", ["2 crowns"], "Tallow 2 crowns Loft"),
    ("g4", "Who rings the bell for visitors?", ["the youngest keeper"], "The bell is rung by the youngest keeper."),
    ("g5", "How long can someone stay?", ["three nights"], "A guest may stay for three nights."),
    ("g6", "How many barrels fit into the loft?", [], ""),
    ("g7", "Who painted the boat?", [], ""),
]


def write_handbook(folder: Path) -> tuple[Path, Path]:
    """The handbook and its questions as files."""
    text, questions = folder / "keeper.md", folder / "gold.jsonl"
    text.write_text(HANDBOOK, encoding="utf-8")
    rows = [
        {"id": id, "question": question, "answers": answers, "near_miss": id == "g6", "language": "en",
         "passages": [{"quote": quote, "source": "keeper.md"}] if quote else []}
        for id, question, answers, quote in GOLD
    ]  # fmt: skip
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return text, questions
