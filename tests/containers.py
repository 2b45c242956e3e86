"""A Dockerfile in, its steps out; and what they make in a fresh folder, where no container engine is at hand."""

from __future__ import annotations

import fnmatch
import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
SYSTEM = ("apt-get", "useradd")
"""Commands that change the machine: what they ask for is looked up, and not done."""


@dataclass(frozen=True)
class Step:
    stage: str
    word: str
    rest: str

    @property
    def listed(self) -> list[str]:
        """The words of CMD or HEALTHCHECK, which are written as a JSON list."""
        return [str(each) for each in json.loads(self.rest[self.rest.index("[") :])]


def steps(text: str) -> list[Step]:
    """Every instruction with the stage it belongs to; lines that go on are joined, comments are left out."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    found, stage = [], ""
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            stage = re.split(r"\s+AS\s+", rest)[1]
        found.append(Step(stage, word, rest.strip()))
    return found


def let_in(path: str, patterns: list[str]) -> bool:
    """Whether `.dockerignore` lets a path of the build's folder in; the last pattern that matches it or a folder above says."""
    parts = path.split("/")
    above = ["/".join(parts[: n + 1]) for n in range(len(parts))]
    inside = True
    for line in patterns:
        pattern = line.removeprefix("!").removeprefix("**/")
        names = [each.rpartition("/")[2] for each in above] if "**/" in line else above
        if any(fnmatch.fnmatchcase(name, pattern) for name in names):
            inside = line.startswith("!")
    return inside


def ignored() -> list[str]:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


@dataclass
class Image:
    """What an image would hold, its root below a folder of ours."""

    root: Path
    environment: dict[str, str]
    here: Path = field(init=False)
    passed_over: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.here = self.root

    def place(self, path: str) -> Path:
        return self.root / path.lstrip("/") if path.startswith("/") else self.here / path

    def build(self, made: list[Step], arguments: Mapping[str, str]) -> None:
        """Do what every step of one stage says."""
        for step in made:
            if step.word == "ENV":
                self.environment |= dict(pair.split("=", 1) for pair in step.rest.split())
            elif step.word == "ARG":
                name, _, value = step.rest.partition("=")
                self.environment[name] = arguments.get(name, value)
            elif step.word == "WORKDIR":
                self.here = self.place(step.rest)
                self.here.mkdir(parents=True, exist_ok=True)
            elif step.word == "COPY":
                self.copy([word for word in step.rest.split() if not word.startswith("--")])
            elif step.word == "RUN" and step.rest.startswith(SYSTEM):
                self.passed_over.append(step.rest)
            elif step.word == "RUN":
                self.run(step.rest)

    def copy(self, words: list[str]) -> None:
        *sources, target = words
        for source in sources:
            given, goal = ROOT / source, self.place(target)
            files = [path for path in given.rglob("*") if path.is_file()] if given.is_dir() else [given]
            for path in files:
                if let_in(path.relative_to(ROOT).as_posix(), ignored()):
                    to = goal / path.relative_to(given) if given.is_dir() else goal / path.name
                    to.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, to)

    def run(self, command: str) -> None:
        command = re.sub(" --(owner|group)=reader", "", command)  # a user that nobody made here
        done = subprocess.run(
            ["sh", "-ec", command], cwd=self.here, env=self.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
