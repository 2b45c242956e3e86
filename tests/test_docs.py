"""The documentation site: what is made from the code names all that is there, certificates can be shown to anyone, links hold."""

from __future__ import annotations

import importlib.util
import itertools
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Literal

import pytest
from pydantic import Field

from wellread.metrics import METRICS
from wellread.recipe import Recipe, load_recipe, shipped

ROOT = Path(__file__).parents[1]
CERTIFICATES = sorted((ROOT / "docs" / "certificates").glob("*.html"))
ELSEWHERE = re.compile(r"""(?:src|href)=["']?https?:|url\(["']?https?:|@import|<base\b""")
"""What a browser would fetch from another machine, or be led to."""


def loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reference = loaded(ROOT / "docs" / "hooks" / "reference.py")


def test_every_key_of_a_recipe_is_in_its_reference() -> None:
    page = reference.recipe_page()
    assert (
        '<a id="key-stages-method-lora-rank"></a>`rank` <span class="takes">whole number or `auto`; default `auto`</span>'
        in page
    )
    assert (
        ":   Width of the adapter: a wider one remembers more, and forgets more; `auto` sizes it to the text (8 to 128)."
        in page
    )
    assert '`from` <span class="takes">text; default none</span>' in page  # the dial's, by the name it has in YAML
    assert "default `20000`" in page
    assert "at least 0, below 4,294,967,296" in page
    for place, record in reference.records(Recipe):
        for name, field in record.model_fields.items():
            assert f'<a id="{reference.anchor(place, field.alias or name)}"></a>' in page, (place, name)
    assert all(f"{{ #shipped-{name} }}" in page for name in shipped())
    assert "\nname: glossary\n" in page


def test_settings_of_commands_exist() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "jobs").glob("*.md")]
    lines = [
        line for page in pages if page.name != "lab-log.md" for line in page.read_text(encoding="utf-8").split("\n")
    ]
    commands = [
        shlex.split(line.rstrip("\\"), comments=True)
        for line in lines
        if re.match(r" {4}wellread run [a-z-]+ .*--set", line)
    ]
    small = 0
    for words in commands:
        settings = [after for word, after in itertools.pairwise(words) if word == "--set"]
        recipe = load_recipe(words[2], settings)  # raises where there is no such setting
        small += recipe.name == "handbook" and recipe.fight is not None and recipe.fight.rows < 100
    assert len(commands) > 5
    assert small == 2  # each page about documents says how it is run small


def test_no_two_keys_share_an_anchor() -> None:
    anchors = ["".join(each) for each in re.findall(r'<a id="([^"]+)"|\{ #([\w-]+) \}', reference.recipe_page())]
    assert len(anchors) == len(set(anchors))


def test_what_a_key_takes_is_said_in_words() -> None:
    from wellread.recipe.methods import Record

    class Small(Record):
        words: tuple[str, ...] = ("a", "b")
        """Words."""
        share: float = Field(default=0.5, gt=0, le=1)
        kind: Literal["one", "two"] = "one"
        on: bool = True
        least: int

    told = [reference.entry("", name, field) for name, field in Small.model_fields.items()]
    assert [each.partition('takes">')[2].partition("</span>")[0] for each in told] == [
        "a list of texts; default `[a, b]`",
        "number, above 0, at most 1; default `0.5`",
        "`one` or `two`; default `one`",
        "true or false; default `true`",
        "whole number; must be given",
    ]


def test_every_verb_and_option_is_in_the_command_reference() -> None:
    from typer.main import get_command

    from wellread.cli import app

    page = reference.commands_page()
    verbs = get_command(app).commands
    assert {"run", "write", "list", "doctor"} <= set(verbs)
    for name, verb in verbs.items():
        section = page[page.index(f"## {name} {{ #{name} }}") :].partition("\n## ")[0]
        for parameter in verb.params:
            wanted = max(parameter.opts, key=len) if parameter.param_type_name == "option" else parameter.metavar or ""
            assert wanted.strip("[]{}") in section, (name, wanted)
    assert "`--top-k NUMBER`\n:   Keep this many of the likeliest tokens; 0: all. \\[default: 0; x>=0]" in page
    assert "    wellread run [OPTIONS] RECIPE [TEXT…]" in page


def test_every_metric_is_in_its_reference_with_what_it_is() -> None:
    page = reference.metrics_page()
    grouped = [name for _, names in reference.groups() for name in names]
    assert sorted(grouped) == sorted(METRICS)
    for name in METRICS:
        section = page[page.index(f"### `{name}` {{ #{name} }}") :].partition("\n##")[0]
        _, words, *exactly = section.split("\n\n")
        assert re.match(r"\*\*.+\.\*\* .{20}", words), name
        assert any(each.strip() for each in exactly), f"{name} has no docstring"
    assert "-log2 p(text) / UTF-8 bytes" in page
    assert "`refusal_auc`\n:   **Told apart by retrieval.**" in page


def test_a_certificate_is_shown_where_it_is_and_awaited_where_it_is_not() -> None:
    here = reference.shown("glossary", "../", there=True)
    assert '<iframe class="certificate" src="../certificates/glossary.html"' in here
    assert "](../certificates/glossary.html)" in here
    assert "iframe" not in reference.shown("glossary", "../", there=False)


@pytest.mark.parametrize("path", CERTIFICATES, ids=lambda path: path.stem)
def test_certificates_ask_nothing_of_a_network_and_tell_nothing_of_a_machine(path: Path) -> None:
    page = path.read_text(encoding="utf-8")
    assert len(page.encode()) < 400_000
    assert not ELSEWHERE.search(page)
    assert not re.search(r"(?<![\w:/.<])/(?:work|tmp|home|root|opt|usr|var|Users|mnt|private)/|[A-Z]:\\\\?Users", page)
    assert 'href="reading' not in page


def test_paths_of_a_machine_are_shortened_to_their_last_name() -> None:
    certificate = loaded(ROOT / "benchmarks" / "certificate.py")
    for before, after in (
        ("wellread run /home/ann/my.yaml /srv/books/one.txt --out /tmp/r1", "wellread run my.yaml one.txt --out r1"),
        ("--set acculturate.texts=[/a/b/x.txt,/a/b/y.txt]", "--set acculturate.texts=[x.txt,y.txt]"),
        (r"run C:\Users\ann\book.txt", "run book.txt"),
        ("1/2 of </p><p>/ and http://localhost:8080/v1#name", "1/2 of </p><p>/ and http://localhost:8080/v1#name"),
        ("bits/byte, runs/novel-1a/report.html", "bits/byte, runs/novel-1a/report.html"),
    ):
        assert certificate.PATH.sub("", before) == after


@pytest.mark.slow
def test_the_site_is_built_without_a_broken_link_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, encoding="utf-8",
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    pages = {
        path.relative_to(tmp_path).as_posix(): path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.html")
    }
    assert {"index.html", "start.html", "jobs/novel.html", "reference/recipe.html", "reference/metrics.html"} <= set(
        pages
    )
    assert not any(path.suffix == ".py" for path in tmp_path.rglob("*"))
    fetched = [(name, found) for name, page in pages.items()
               for found in re.findall(r'<(?:link|script|img|iframe)\b[^>]*(?:src|href)="(https?:[^"]*)"', page)]  # fmt: skip
    assert fetched == []
    for name, page in pages.items():
        for address in re.findall(r'<iframe[^>]* src="([^"]+)"', page):
            assert (tmp_path / name).parent.joinpath(address).resolve().is_file(), (name, address)
    assert 'id="key-stages-method-lora-rank"' in pages["reference/recipe.html"]
    assert "<dt>" in pages["reference/recipe.html"]
