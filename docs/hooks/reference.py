"""The code in, the site's pages about it out: every key of a recipe, every verb and option, every metric. And certificates in their place.

mkdocs calls the functions whose names begin with `on_` while it builds; what they write is kept nowhere, so it cannot go stale.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

CERTIFICATE = re.compile(r"^<!-- certificate: ([a-z0-9-]+) -->$", re.MULTILINE)
"""On a line of its own, where a page shows the certificate of a run."""
TYPES = {str: "text", int: "whole number", float: "number", bool: "true or false", Any: "anything"}
PLAIN = {"<int range>": "NUMBER", "<float range>": "NUMBER", "<float>": "NUMBER", "<path>": "PATH", "<list[Path]>": "PATH",
         " <list[str]>": "", "<str>": "TEXT", "{": "", "}": "", "[[": "[", "]]": "]", "...": ""}  # fmt: skip
"""What a command line's help calls things, and what whoever reads it does."""
BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    from mkdocs.structure.files import File

    for name, text in (("recipe", recipe_page()), ("commands", commands_page()), ("metrics", metrics_page())):
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    up = "../" * page.file.src_uri.count("/")
    folder = Path(config.docs_dir) / "certificates"
    return CERTIFICATE.sub(lambda found: shown(found[1], up, there=(folder / f"{found[1]}.html").is_file()), markdown)


def shown(name: str, up: str, *, there: bool) -> str:
    """A certificate within a page, and the way to it alone; or a word that there is none yet."""
    if not there:
        return (
            '!!! note "No certificate here yet"\n'
            "    This run has not been finished for these pages. Yours writes `report.html` into its folder."
        )
    address = f"{up}certificates/{name}.html"
    frame = f'<iframe class="certificate" src="{address}" title="The certificate {name}" loading="lazy"></iframe>'
    return f"[Open this certificate by itself]({address}){{ .md-button }}\n\n{frame}"


def recipe_page() -> str:
    """Markdown: a section for every record of a recipe, an entry for every key, and the shipped recipes as they are."""
    from wellread.recipe import Recipe, recipe_text, shipped

    parts = [
        "# Recipe reference",
        "Every key that a recipe can have, as this version's code has it: its name, what it takes, what it is where you say "
        "nothing, and what it does. Set one in the YAML file, or in passing: `--set STAGE.KEY=VALUE`, such as `--set imprint.rank=32`. "
        "`wellread new novel mine.yaml` writes a recipe of your own to begin with.",
    ]
    for place, record in records(Recipe):
        parts.append(f"## {f'`{place}`' if place else 'The recipe itself'} {{ #{anchor(place, of='part')} }}")
        parts += [inspect.cleandoc(record.__doc__)] if place and record.__doc__ else []
        parts += [entry(place, field.alias or name, field) for name, field in record.model_fields.items()]
    parts += ["## The recipes that are shipped", "As `wellread new NAME` copies them."]
    parts += [f"### {name} {{ #shipped-{name} }}\n\n```yaml\n{recipe_text(name).strip()}\n```" for name in shipped()]
    return "\n\n".join(parts) + "\n"


def records(record: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Every record of a recipe with the place where it stands, the recipe first: `stages`, `stages.method (lora)`."""
    yield place, record
    for name, field in record.model_fields.items():
        for below, each in within(field, place, field.alias or name):
            yield from records(each, below)


def within(field: Any, place: str, key: str) -> list[tuple[str, Any]]:
    """The records that a key may hold, and the place of each: of several, its kind in brackets."""
    found = list(_records_in(field.annotation))
    below = f"{place}.{key}".lstrip(".")
    return [(f"{below} ({each.model_fields['kind'].default})" if len(found) > 1 else below, each) for each in found]


def _records_in(annotation: Any) -> Iterator[Any]:
    if hasattr(annotation, "model_fields"):
        yield annotation
    elif get_origin(annotation) is not Literal:
        for each in get_args(annotation):
            yield from _records_in(each)


def anchor(*names: str, of: str = "key") -> str:
    """Where a key, or with `of="part"` a record, stands in the page: `key-stages-method-lora-rank`."""
    return re.sub(r"[^a-z0-9_]+", "-", "-".join((of, *names)).lower()).strip("-")


def entry(place: str, key: str, field: Any) -> str:
    """A definition: the key with what it takes and what it is unless said otherwise, and below it what it does."""
    below = within(field, place, key)
    takes = [in_words(field.annotation)]
    takes += [f"{words} {getattr(rule, short):,}" for rule in field.metadata for short, words in BOUNDS.items()
              if getattr(rule, short, None) is not None]  # fmt: skip
    if field.is_required():
        default = "must be given"
    else:
        default = "may be left out" if below else f"default {as_yaml(field.get_default(call_default_factory=True))}"
    said = " ".join((field.description or "").split())
    links = ", ".join(f"[{where}](#{anchor(where, of='part')})" for where, _ in below)
    if links:
        said = f"{said} {'One of' if len(below) > 1 else 'Its keys:'} {links}.".strip()
    head = f'<a id="{anchor(place, key)}"></a>`{key}` <span class="takes">{", ".join(takes)}; {default}</span>'
    return f"{head}\n:   {said or 'Which of the kinds this is.'}"


def in_words(annotation: Any) -> str:
    """What a key takes: `whole number or auto`."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if annotation in TYPES:
        return TYPES[annotation]
    if hasattr(annotation, "model_fields"):
        return "keys"
    if origin is Annotated:
        return in_words(parts[0])
    if origin is Literal:
        return " or ".join(f"`{each or '(empty)'}`" for each in parts)
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(in_words(each) for each in parts if each is not NoneType))
    if origin is tuple:
        return {"text": "a list of texts", "number": "a list of numbers"}.get(
            in_words(parts[0]), "a list of parts, each with keys"
        )
    return "names with values"


def as_yaml(value: Any) -> str:
    """A default as a recipe would have it."""
    if value in ("", (), {}) or value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`[{', '.join(map(repr_plain, value))}]`"
    return f"`{repr_plain(value)}`"


def repr_plain(value: Any) -> str:
    return repr(value) if isinstance(value, str) and value.strip() != value else str(value)


def commands_page() -> str:
    """Markdown: a section for every verb, with its arguments and options as `--help` has them."""
    from typer.main import get_command

    from wellread.cli import app

    tree: Any = get_command(app)
    parts = [
        "# Command reference",
        "Every verb with its arguments and options, as `wellread VERB --help` says them in this version. Results go to stdout, "
        "progress and prose to stderr; with `--json` stdout carries JSON alone. Whatever goes wrong is said in one line: what, what was "
        "found, what to do next.",
        "Exit codes: 0, done; 1, the work failed, or a check did; 2, a command, recipe, text or model that cannot be used, or a "
        "package that is missing; 3, the run is finished, and its recipe requires what does not hold; 130, stopped by Ctrl-C: the same "
        "command goes on.",
        "\n".join(f"- [`wellread {name}`](#{name}): {verb.help}" for name, verb in tree.commands.items()),
    ]
    for name, verb in tree.commands.items():
        context = verb.context_class(verb, info_name=f"wellread {name}")
        usage = f"wellread {name} {' '.join(_plain(piece) for piece in verb.collect_usage_pieces(context))}"
        parts += [f"## {name} {{ #{name} }}", verb.help, f"    {usage}"]
        said = [found for parameter in verb.params if (found := parameter.get_help_record(context))]
        parts += [f"`{_plain(words)}`\n:   {_safe(meaning)}" for words, meaning in said]
    return "\n\n".join(parts) + "\n"


def _plain(words: str) -> str:
    """Words of a usage line or an option, without what only the parser needs."""
    for old, new in PLAIN.items():
        words = words.replace(old, new)
    return re.sub(r"^(\[?[A-Z]+\]?) (TEXT|PATH)$", r"\1", words)


def _safe(text: str) -> str:
    text = " ".join(text.replace("[required]", "*Must be given.*").split())
    return text.replace("<", "&lt;").replace("[", "\\[")


def metrics_page() -> str:
    """Markdown: every metric that is registered, in plain words and as its own docstring has it."""
    from wellread import registry
    from wellread.metrics import METRICS
    from wellread.reports.wording import METRICS as WORDS
    from wellread.reports.wording import metric_words

    parts = [
        "# Metric reference",
        "What can be measured, by the names that `measurements.jsonl`, `measure.metrics`, `require:` and `wellread measure --metrics` "
        "use. First each in the certificate's own words, then exactly, as the code has it. [Measures](../measures.md) tells how they "
        "belong together and what they do not say.",
    ]
    for title, names in groups():
        parts.append(f"## {title}")
        for name in names:
            words = metric_words(name)
            measured = inspect.getdoc(registry.resolve("metrics", METRICS, name)) or ""
            parts += [f"### `{name}` {{ #{name} }}", f"**{words.title}.** {words.explanation}", measured]
    further = [name for name in WORDS if name not in METRICS]
    parts += [
        "## Rows that stand beside them",
        "Written by the metrics above, or by a run itself: asked for with these, not by name.",
    ]
    parts += [f"`{name}`\n:   **{WORDS[name].title}.** {WORDS[name].explanation}" for name in further]
    return "\n\n".join(parts) + "\n"


def groups() -> Iterable[tuple[str, list[str]]]:
    """Titles, and under each the metrics that belong together; every registered one is in one of them."""
    from wellread.metrics import EXTRACTION, METRICS, STYLE, YARDSTICKS
    from wellread.recipe.questions import ANSWERED, FOUND, REPLIED

    kinds = {
        "Style": STYLE, "Answers about a glossary": ANSWERED, "References": EXTRACTION, "Answers to gold questions": REPLIED,
        "Search": FOUND, "File compressors, as yardsticks": YARDSTICKS,
    }  # fmt: skip
    taken = {name for names in kinds.values() for name in names}
    yield "Prediction and copying", [name for name in METRICS if name not in taken]
    yield from ((title, [name for name in METRICS if name in names]) for title, names in kinds.items())
