"""Names of texts in, paths out: files, folders, and the texts that wellread brings along (`library:NAME`)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from wellread import runs
from wellread.errors import UsageError
from wellread.recipe import Recipe
from wellread.registry import unknown
from wellread.tokens.library import find_shards

LIBRARY = "library:"
DATA_SUFFIXES = (".json", ".jsonl")
ABOUT = {
    "novella": "An Allowance for Snow: a novella in English, 29,000 words, what `wellread run novel` reads.",
    "conte": "La Dame de juillet: a tale told aloud, in French, 6,000 words.",
    "handbook": "The Winter Way: the handbook of an institution, in English, 10,000 words; also handbook.pdf and handbook.docx.",
    "general_en": "Plain prose about everyday things, in English: by it forgetting is measured.",
    "general_fr": "The same in French.",
    "songs": "The Drawing Songs: fourteen songs with numbered lines, the canon of the recipe `references`.",
    "songs.schema": "What an answer of the recipe `references` looks like, as a JSON Schema.",
    "backstories": "42 characters of the lake with their backstories, what the recipe `backstories` reads.",
    "chat": "A small general conversation in English and French, to be replayed against forgetting.",
    "commentary": "Passages about the Drawing Songs with the lines they refer to, what the recipe `references` reads.",
    "glossary": "A glossary of 90 terms of the lake, in English.",
    "glossary_fr": "A glossary of 32 terms, in French.",
    "handbook_questions": "Questions about the handbook, with answers and the words they stand in; 62 that it does not answer.",
    "conte_questions": "Questions in French about the tale, with answers and the words they stand in; 14 that it does not answer.",
    "invented": "Terms that no glossary has, in English: for questions that want a no.",
    "invented_fr": "The same in French.",
    "outside": "Acronyms that everybody knows, in English: not to be refused.",
    "outside_fr": "The same in French.",
}
"""The embedded texts and tables, in a line each."""
EMBEDDED_TOO = "library:*"
"""Among `references`: the embedded texts too, those that a recipe compares with where it names none."""
HUB_DATASET = re.compile(r"\w[\w.-]*/[\w.-]+(:[\w.-]+)?")
"""`owner/name` or `owner/name:config`."""


def text_paths(recipe: Recipe, texts: Sequence[str | Path]) -> list[Path]:
    """The files to read: those of the command line, else the recipe's. Raises UsageError where there are none."""
    given = [str(text) for text in texts] or list(recipe.corpus.texts)
    if not given:
        raise UsageError(f"recipe {recipe.name!r} brings no text of its own: name a file or a folder after it.")
    return found(given)


def unnamed(recipe: Recipe, texts: Sequence[str | Path]) -> str:
    """A line that says which embedded text is read because no other was named; empty where one was, or the recipe has its own."""
    own = recipe.corpus.texts
    if texts or not own or not all(name.startswith(LIBRARY) for name in own):
        return ""
    names = [name.removeprefix(LIBRARY).partition(".")[0] for name in own]
    return f"no text was named: the embedded {' and '.join(names)}"


def path_of(name: str | Path) -> Path:
    """The path of a file, a folder or `library:NAME`. Raises UsageError for an empty name, which would be the folder that one
    happens to be in."""
    if isinstance(name, str) and not name.strip():
        raise UsageError("the name of a text is empty: name a file or a folder; `.` is the folder you are in.")
    return Path(library_path(str(name)))


def found(names: Iterable[str | Path]) -> list[Path]:
    """The paths of files, folders and `library:NAME`. Raises UsageError for one that is not there."""
    paths = [path_of(name) for name in names]
    for path in paths:
        if not path.exists():
            raise UsageError(f"there is no file or folder {path}")
    return paths


def further_paths(recipe: Recipe) -> list[Path]:
    """What a recipe reads beside its text: general text, references, replay, files of examples. Raises UsageError."""
    stages, written = recipe.stages, recipe.synthesis
    names = [*recipe.general, *reference_names(recipe), *(text for stage in stages if stage.mix for text in stage.mix.texts),
             *(file for stage in stages if stage.examples for file in stage.examples.files), *recipe.questions,
             *((name for name in (written.invented, written.outside) if name) if written else ())]  # fmt: skip
    if recipe.extract is not None:
        names += schema_files(recipe.extract.form)
        names += [recipe.extract.canon.text] if recipe.extract.canon else []
    return found(dict.fromkeys(names))


def reference_names(recipe: Recipe) -> list[str]:
    """The recipe's `references`, each once, `library:*` spelled out."""
    embedded = Recipe.model_fields["references"].default
    names = [each for name in recipe.references for each in (embedded if name == EMBEDDED_TOO else (name,))]
    return list(dict.fromkeys(names))


def schema_files(form: str | Mapping[str, Any]) -> list[str]:
    """The file that decides a schema: none for one that stands in the recipe, or comes from an installed module."""
    if not isinstance(form, str) or form.lstrip().startswith("{"):
        return []
    if form.startswith(LIBRARY) or Path(form).is_file():
        return [form]
    module = form.rpartition(":")[0]
    return [module] if module.endswith(".py") else []


def shards(recipe: Recipe) -> list[str]:
    """Name and size of every file of the libraries that windows are drawn from: too large to be hashed."""
    names = [text for stage in recipe.stages if stage.random_windows for text in stage.random_windows.texts]
    paths = [Path(library_path(name)) for name in names]
    for path, name in zip(paths, names, strict=True):
        if path.exists():
            find_shards([path])  # which refuses what it cannot read, before anything long begins
        elif not HUB_DATASET.fullmatch(name):
            raise UsageError(f"there is no file or folder {path} to draw windows from")
    files = [each for path in paths for each in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    return [*names, *(f"{each.name} {each.stat().st_size}" for each in files if each.is_file())]


def keep_apart(recipe: Recipe, texts: Sequence[Path]) -> None:
    """Raises UsageError where a library or text read beside the text is the text itself, held-out chapters and all, or one by
    which forgetting is measured, whatever its name."""
    secret = [(path, "is the text itself: its held-out chapters would be read; take it out of the library or the mix.")
              for path in texts if path.is_file()]  # fmt: skip
    secret += [(path, "forgetting is measured by: take it out of `general`, or read other text.")
               for name in recipe.general for path in _files(name)]  # fmt: skip
    sizes: dict[int, list[tuple[Path, str]]] = {}
    for path, why in secret:
        sizes.setdefault(path.stat().st_size, []).append((path, why))
    for stage in recipe.stages:
        beside = [
            *(stage.random_windows.texts if stage.random_windows else ()),
            *(stage.mix.texts if stage.mix else ()),
        ]
        for each in (path for name in beside for path in _files(name)):
            for same, why in sizes.get(each.stat().st_size, ()):
                if each.read_bytes() == same.read_bytes():
                    raise UsageError(f"stage {stage.name} reads {each} too, which {why}")


def _files(name: str) -> list[Path]:
    """The files that a name stands for: itself, or all in the folder; none where there is nothing, as of a hub's dataset."""
    path = Path(library_path(name))
    return [each for each in (sorted(path.rglob("*")) if path.is_dir() else [path]) if each.is_file()]


def library_texts() -> list[str]:
    """Names of the embedded texts; files in capitals are about them."""
    folder = Path(str(resources.files("wellread"))) / "library"
    return sorted(path.stem for path in folder.glob("*.md") if path.stem.islower())


def library_data() -> dict[str, Path]:
    """Embedded files that are no texts to read but tables (glossaries, invented names), by name."""
    folder = Path(str(resources.files("wellread"))) / "library"
    return {
        path.stem: path for path in sorted(folder.iterdir()) if path.suffix in DATA_SUFFIXES and path.stem.islower()
    }


def library_path(name: str) -> str:
    """The path that `library:NAME` stands for; any other name as it is."""
    return str(library_text(name.removeprefix(LIBRARY))) if name.startswith(LIBRARY) else name


def library_text(name: str) -> Path:
    """The path of an embedded text or table, or, by its whole name, of what belongs to one (`commentary.jsonl`)."""
    folder, tables = Path(str(resources.files("wellread"))) / "library", library_data()
    if name in tables:
        return tables[name]
    beside = folder / name
    if "." in name and beside.is_file() and beside.parent == folder:
        return beside
    if name not in library_texts():
        raise UsageError(unknown(f"embedded text {name!r}", name, [*library_texts(), *tables]))
    return folder / f"{name}.md"


def digest(path: Path) -> str:
    """A hash of a file's name and bytes, or of all files below a folder."""
    whole = hashlib.sha256()
    for each in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if not each.is_file() or any(runs.is_run(folder) for folder in each.parents):
            continue
        whole.update(each.relative_to(path.parent).as_posix().encode())
        try:
            with each.open("rb") as file:
                while block := file.read(1 << 20):
                    whole.update(block)
        except OSError as error:  # reading the text will say so, or pass the file over
            whole.update(f"unreadable {error.errno}".encode())
    return whole.hexdigest()
