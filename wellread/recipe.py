"""A recipe is data: which text, which base, how it is taught, what is sampled and measured. YAML in, frozen records out."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from wellread.errors import RecipeError
from wellread.registry import unknown


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class CorpusSettings(Record):
    texts: tuple[str, ...] = ()
    """Files or folders to read when the command line names none; `library:novella` is an embedded text."""
    clean: bool = True
    """Apply the cleaning rules; the report says what each removed."""
    validation: float = Field(default=0.1, gt=0, lt=0.5)
    """Share of the text that is watched while training, and by which `keep: best` chooses the checkpoint."""
    held_out: float = Field(default=0.1, gt=0, lt=0.5)
    """Share of the text that nothing looks at before the final measurement."""
    near_duplicates: bool = True
    """Find passages that stand in two parts and move them into one."""


class Scratch(Record):
    """Weights that know nothing: a small Llama-architecture decoder with a tokenizer of its own."""

    kind: Literal["scratch"] = "scratch"
    size: Literal["auto", "tiny", "small", "medium", "large"] = "auto"
    """The one dial of sizes: width, depth and heads follow it; `auto` fits it to the text and the budget."""
    vocabulary: int | Literal["auto"] = Field(default="auto")
    """Tokens of the byte-level BPE that is trained on the training part; `auto` fits it to the text."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of activations dropped while training: raise it as epochs grow."""


class Lora(Record):
    """The base stays as it is; every linear layer gains a low-rank difference that trains."""

    kind: Literal["lora"] = "lora"
    rank: int = Field(default=16, ge=1, le=1024)
    """Width of the adapter: a wider one remembers more, and forgets more."""
    alpha: float = Field(default=32, gt=0)
    """Scale of the difference: alpha / rank multiplies it."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of the adapter's inputs dropped while training."""


Method = Annotated[Scratch | Lora, Field(discriminator="kind")]


class Windows(Record):
    length: int = Field(default=256, ge=16)
    """Tokens in a window."""
    stride: int | None = Field(default=None, ge=1)
    """Tokens between two windows; None: as long as the window. Re-cut at a new offset every epoch."""


class Budget(Record):
    """How long a stage trains: exactly one of the three. The learning rate's schedule ends where the budget does."""

    epochs: float | None = Field(default=None, gt=0)
    """Passes over the training part."""
    steps: int | None = Field(default=None, ge=1)
    """Optimizer steps."""
    minutes: float | None = Field(default=None, gt=0)
    """Minutes of training with its validation, on this machine; preparation and the final measurement not counted."""

    @model_validator(mode="after")
    def exactly_one(self) -> Budget:
        given = [name for name in ("epochs", "steps", "minutes") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"a budget needs exactly one of epochs, steps, minutes; found {given or 'none'}")
        return self


class Optimizer(Record):
    kind: Literal["adamw", "muon"] = "adamw"
    """`muon`: Muon for the hidden matrices and AdamW for the rest; `adamw`: AdamW for all."""
    learning_rate: float = Field(default=2e-4, gt=0)
    """Peak learning rate of AdamW."""
    muon_learning_rate: float = Field(default=0.02, gt=0)
    """Peak learning rate of Muon; read only by `muon`."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Decoupled weight decay of the matrices."""
    batch: int = Field(default=8, ge=1)
    """Windows per optimizer step."""
    warmup: float = Field(default=0.03, ge=0, le=1)
    """Share of the budget over which the learning rate rises."""
    decay: float = Field(default=1.0, ge=0, le=1)
    """Share of the budget, at its end, over which the learning rate falls to zero."""
    clip: float = Field(default=1.0, gt=0)
    """Largest norm of the gradient."""


class Stage(Record):
    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    """Names the stage's folder and its rows in every table."""
    method: Method
    windows: Windows = Windows()
    budget: Budget
    optimizer: Optimizer = Optimizer()
    keep: Literal["best", "last", "average"] = "last"
    """Which weights a stage ends with: best on validation, the last, or the average of the late ones."""
    evaluations: int = Field(default=10, ge=1)
    """How often validation is measured over the budget."""
    validation_windows: int = Field(default=64, ge=1)
    """Windows that one validation reads at most, spread evenly over the validation part."""
    checkpoint_minutes: float = Field(default=2.0, gt=0)
    """A killed run loses at most this much training."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of training; `auto` takes bfloat16 only where the machine computes it faster."""


class SamplingSettings(Record):
    max_tokens: int = Field(default=200, ge=1)
    """Longest continuation, in tokens."""
    temperature: float = Field(default=0.8, ge=0)
    """0 is greedy decoding."""
    top_p: float = Field(default=0.95, gt=0, le=1)
    """Keep the likeliest tokens that together hold this share."""
    top_k: int = Field(default=0, ge=0)
    """Keep this many of the likeliest tokens; 0 keeps all."""
    min_p: float = Field(default=0.0, ge=0, le=1)
    """Drop tokens less likely than this share of the likeliest."""
    repetition_penalty: float = Field(default=1.0, gt=0)
    """Above 1, tokens already there become less likely."""
    n: int = Field(default=2, ge=1)
    """Samples for each opening line."""
    prompts: tuple[str, ...] = ()
    """Opening lines; none: the first line of the first validation chapter. The same for every subject and stage."""


class MeasureSettings(Record):
    metrics: tuple[str, ...] = ()
    """Names of metrics; none: all that apply."""
    quick: bool = True
    """Measure a stated sample of each part rather than all of it: wider intervals, less time."""
    quick_words: int = Field(default=20_000, ge=500)
    """Words of each part that `quick` measures."""


class Recipe(Record):
    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    """Begins the run folder's name."""
    about: str = ""
    """For whom, on which machine, at what cost: one or two sentences."""
    base: str | None = None
    """MODEL that the first stage starts from; None for a stage from scratch."""
    corpus: CorpusSettings = CorpusSettings()
    stages: tuple[Stage, ...] = Field(min_length=1)
    sampling: SamplingSettings = SamplingSettings()
    measure: MeasureSettings = MeasureSettings()
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Of the split, the weights, the order of reading, the samples and the intervals."""

    @model_validator(mode="after")
    def base_fits_method(self) -> Recipe:
        first = self.stages[0].method.kind
        if first == "scratch" and self.base is not None:
            raise ValueError("a first stage from scratch has no base: remove `base`")
        if first != "scratch" and self.base is None:
            raise ValueError(f"method {first} needs a `base`: embedded, a folder or a hub id")
        if len({stage.name for stage in self.stages}) < len(self.stages):
            raise ValueError("two stages have the same name")
        if len(self.stages) > 1:
            raise ValueError("recipes of more than one stage are not built yet: split it into two runs")
        return self


def shipped() -> list[str]:
    """Names of the recipes that come with wellread."""
    folder = resources.files("wellread") / "recipes"
    return sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml"))


def recipe_text(name: str) -> str:
    """The YAML of a shipped recipe or of a file. Raises RecipeError where there is neither."""
    path = Path(name)
    if path.suffix in {".yaml", ".yml"} or path.is_file():
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"cannot read the recipe {name}: {error}") from None
    if name not in shipped():
        raise RecipeError(unknown(f"recipe {name!r}", name, shipped()))
    return (resources.files("wellread") / "recipes" / f"{name}.yaml").read_text(encoding="utf-8")


def load_recipe(name: str, settings: Sequence[str] = ()) -> Recipe:
    """A recipe by name or path, with `--set stage.key=value` overrides. Raises RecipeError in one line."""
    return parse_recipe(recipe_text(name), settings, source=name)


def expand_grid(settings: Sequence[str]) -> list[list[str]]:
    """`a.rank=8,32` stands for two runs: every combination of the listed values; brackets protect a comma."""
    choices = []
    for setting in settings:
        path, equals, text = setting.partition("=")
        values = re.split(r",(?![^\[{]*[\]}])", text) if equals else [text]
        choices.append([f"{path}{equals}{value}" for value in values])
    return [list(combination) for combination in itertools.product(*choices)]


def parse_recipe(text: str, settings: Sequence[str] = (), *, source: str = "recipe") -> Recipe:
    """YAML text to a Recipe. Raises RecipeError that names the field and what it expects."""
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise RecipeError(f"{source}{place}: not valid YAML") from None
    if not isinstance(raw, dict):
        raise RecipeError(f"{source}: a recipe is a mapping of keys; found {type(raw).__name__}")
    recipe = _validate(raw, source)
    if not settings:
        return recipe
    resolved = recipe.model_dump(mode="json")
    for setting in settings:
        _override(resolved, setting)
    return _validate(resolved, source)


def _validate(raw: Mapping[str, Any], source: str) -> Recipe:
    try:
        return Recipe.model_validate(raw)
    except ValidationError as error:
        raise RecipeError(f"{source}: {_first_problem(error, raw)}") from None


def _first_problem(error: ValidationError, raw: Mapping[str, Any]) -> str:
    problems = error.errors(include_url=False)
    first = problems[0]
    place = ".".join(str(part) for part in first["loc"]) or "recipe"
    if first["type"] == "extra_forbidden":
        name = str(first["loc"][-1])
        said = unknown(f"setting {place!r}", name, _keys(Recipe))
    elif first["type"] == "value_error":
        said = f"{place}: {first['ctx']['error']}" if first["loc"] else str(first["ctx"]["error"])
    else:
        said = f"{place}: {first['msg'][0].lower()}{first['msg'][1:]}; found {first['input']!r}"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return said + more


def _keys(record: type[BaseModel]) -> set[str]:
    """Every key that may stand anywhere in a recipe."""
    records: Iterable[type[BaseModel]] = (
        record,
        CorpusSettings,
        Stage,
        Scratch,
        Lora,
        Windows,
        Budget,
        Optimizer,
        SamplingSettings,
        MeasureSettings,
    )
    return {key for each in records for key in each.model_fields}


def _override(raw: dict[str, Any], setting: str) -> None:
    """Apply one `place.key=value` to a resolved recipe: the exact path, or the only such key below `place`."""
    path, equals, text = setting.partition("=")
    if not equals or not path:
        raise RecipeError(f"--set wants place.key=value; found {setting!r}")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise RecipeError(f"--set {path}: {text!r} is not a YAML value") from None
    *places, key = path.split(".")
    node: Any = raw
    for place in places:
        node = _step(node, place, path)
    holders = [node] if isinstance(node, dict) and key in node else list(_holders(node, key))
    if not holders:
        raise RecipeError(unknown(f"setting {path!r}", key, _all_keys(node)))
    if len(holders) > 1:
        raise RecipeError(
            f"--set {path}: {len(holders)} settings have this name; write the whole path, as in recipe.yaml"
        )
    if key in Budget.model_fields and set(holders[0]) == set(Budget.model_fields):
        holders[0].update(dict.fromkeys(holders[0]))
    holders[0][key] = value


def _step(node: Any, place: str, path: str) -> Any:
    if isinstance(node, dict) and isinstance(node.get(place), dict | list):
        return node[place]
    stages = node.get("stages", []) if isinstance(node, dict) else node
    stages = [item for item in stages if isinstance(item, dict)] if isinstance(stages, list) else []
    for item in stages:
        if item.get("name") == place:
            return item
    known = [*node, *(item["name"] for item in stages)] if isinstance(node, dict) else [i["name"] for i in stages]
    raise RecipeError(unknown(f"setting {path!r}", place, known))


def _holders(node: Any, key: str) -> Iterable[dict[str, Any]]:
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        if isinstance(child, dict) and key in child:
            yield child
        yield from _holders(child, key)


def _all_keys(node: Any) -> list[str]:
    if isinstance(node, dict):
        return [*node, *(key for child in node.values() for key in _all_keys(child))]
    return [key for child in node for key in _all_keys(child)] if isinstance(node, list) else []


def recipe_yaml(recipe: Recipe) -> str:
    """The recipe with every default written out."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100)


def fingerprint(*parts: object) -> str:
    """Eight hexadecimal digits of whatever decides a result: the same parts, the same folder."""
    canonical = json.dumps(
        [p.model_dump(mode="json") if isinstance(p, BaseModel) else p for p in parts], sort_keys=True
    )
    return hashlib.sha256(canonical.encode()).hexdigest()[:8]
