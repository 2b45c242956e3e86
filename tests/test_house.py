"""The house as a whole: its public names, its layers, and what it promises of itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import wellread

ROOT = Path(__file__).parents[1]
PUBLIC = [
    "Corpus", "Document", "Evidence", "LanguageModel", "Measurement", "Recipe", "Run", "Sample", "Sampling", "Scored",
    "WellreadError", "load_recipe", "measure", "open_model", "open_run", "plan", "run", "write_report",
]  # fmt: skip


def test_the_public_names_are_frozen() -> None:
    assert wellread.__all__ == PUBLIC
    assert all(getattr(wellread, name) is not None for name in PUBLIC)


def test_importing_the_package_is_light() -> None:
    child = "import sys, wellread; sys.exit(bool({'torch', 'pydantic', 'numpy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", child]).returncode == 0


def test_the_tree_in_the_architecture_names_every_file() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    tree = page[page.index("## The tree") :]
    files = [path.name for path in (ROOT / "wellread").rglob("*.py") if path.name != "__init__.py"]
    missing = [name for name in files if name not in tree]
    assert not missing


def test_files_stay_readable() -> None:
    files = (ROOT / "wellread").rglob("*.py")
    long = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert {name: lines for name, lines in long.items() if lines > 350} == {}
