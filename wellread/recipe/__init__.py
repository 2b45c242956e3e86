"""A recipe is data: which text, which base, how it is taught, what is sampled and measured. YAML in, frozen records out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from wellread.errors import RecipeError
from wellread.recipe.extraction import CanonSettings, Coordinates, Extraction, Patterns
from wellread.recipe.methods import Full, Lora, LowRank, Method, Qlora, Record, Scratch
from wellread.recipe.overriding import override
from wellread.recipe.questions import ANSWERED, EXTRACTED, Answering, Fight, SynthesisSettings
from wellread.recipe.requirements import YARDSTICKS, measured_by, read_requirement
from wellread.recipe.settings import DIAL_END, CorpusSettings, DialSettings, MeasureSettings, SamplingSettings
from wellread.recipe.stages import (
    STYLED,
    Budget,
    Examples,
    Mix,
    Optimizer,
    RandomWindows,
    Stage,
    Windows,
    fights_fairly,
    goes_on,
    lineage,
)
from wellread.registry import unknown

__all__ = [
    "DIAL_END",
    "Answering",
    "Budget",
    "CorpusSettings",
    "DialSettings",
    "Examples",
    "Fight",
    "Full",
    "Lora",
    "LowRank",
    "MeasureSettings",
    "Method",
    "Mix",
    "Optimizer",
    "Qlora",
    "RandomWindows",
    "Recipe",
    "SamplingSettings",
    "Scratch",
    "Stage",
    "SynthesisSettings",
    "Windows",
    "fingerprint",
    "lineage",
    "load_recipe",
    "parse_recipe",
    "recipe_text",
    "recipe_yaml",
    "settle",
    "shipped",
]  # fmt: skip


class Recipe(Record):
    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    """Begins the run folder's name."""
    about: str = ""
    """For whom, on which machine, at what cost: one or two sentences."""
    base: str | None = None
    """MODEL that the first stage starts from; None for a stage from scratch."""
    corpus: CorpusSettings = CorpusSettings()
    general: tuple[str, ...] = ("library:general_en", "library:general_fr")
    """Text of other kinds, measured before and after each stage: what was forgotten. Files, folders or `library:NAME`."""
    references: tuple[str, ...] = ("library:novella", "library:conte", "library:general_en", "library:general_fr")
    """Texts by others, each file one text, beside which the style of what is written is measured (`measure.style_words`):
    3 for a distance, 8 for a rank. Files, folders or `library:NAME`; a list of yours takes the place of the embedded texts,
    unless `library:*`, all of these, is in it. The book itself is left out where it is among them."""
    synthesis: SynthesisSettings | None = None
    """Have conversations and questions written about the text, which is a glossary then."""
    questions: tuple[str, ...] = ()
    """Files of questions (JSONL: id, prompt, expected, kind, term, facts) that every subject is asked; with `fight`, of gold
    questions (id, question, answers, passages)."""
    answers: Answering = Answering()
    stages: tuple[Stage, ...] = Field(min_length=1)
    extract: Extraction | None = None
    """Texts to JSON after a schema, measured by cross-validation: the recipe's texts are then rows with right answers."""
    fight: Fight | None = None
    """Base, retrieval, tuning and both on the same gold questions about the texts, measured side by side."""
    sampling: SamplingSettings = SamplingSettings()
    measure: MeasureSettings = MeasureSettings()
    dial: DialSettings = DialSettings()
    require: tuple[str, ...] = ()
    """What must hold at the end, or the run exits 3: `held_out bits_per_byte < 1.7`, `general bits_per_byte rises < 0.05`,
    `greedy_recited_share(train) - greedy_recited_share(held_out) < 0.01`. What was not measured does not hold."""
    report_to: tuple[str, ...] = ()
    """Trackers that transformers knows (trackio, tensorboard, wandb, mlflow), beside log.jsonl."""
    size: str = ""
    """Which of `sizes` was taken."""
    sizes: Mapping[str, tuple[str, ...]] = {}
    """Named sizes, each a list of `place.key=value`; `--set size=NAME` takes one, before other settings."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Of the split, the weights, the order of reading, the samples and the intervals."""

    @model_validator(mode="after")
    def stages_follow(self) -> Recipe:
        first = self.stages[0]
        if first.method.kind == "scratch" and self.base is not None:
            raise ValueError("a first stage from scratch has no base: remove `base`")
        if first.method.kind != "scratch" and self.base is None:
            raise ValueError(f"method {first.method.kind} needs a `base`: embedded, a folder or a hub id")
        names: list[str] = []
        for stage in self.stages:
            if stage.name in (*names, "base", "previous"):
                raise ValueError(f"two stages have the name {stage.name!r}" if stage.name in names else
                                 f"a stage cannot be called {stage.name!r}: the word has a meaning of its own")  # fmt: skip
            if stage.start not in ("previous", "base", *names):
                raise ValueError(unknown(f"stage {stage.start!r} before stage {stage.name}", stage.start, names))
            if stage.start == "base" and self.base is None and stage.method.kind != "scratch":
                raise ValueError(f"stage {stage.name} starts from the base, and the recipe has none")
            read = (
                *(stage.mix.texts if stage.mix else ()),
                *(stage.random_windows.texts if stage.random_windows else ()),
            )
            for text in read:
                if text in self.general:
                    raise ValueError(f"stage {stage.name} reads {text}, by which forgetting is measured: take it out of "
                                     "`general`, or read other text")  # fmt: skip
            names.append(stage.name)
        for stage in self.stages:
            origin, *_ = lineage(self.stages)[stage.name] or ("base",)
            if origin != "base":
                goes_on(stage, self.stages[names.index(origin)])
        return self

    @model_validator(mode="after")
    def questions_are_there(self) -> Recipe:
        wanted = [name for name in self.measure.metrics if name in ANSWERED]
        wanted += [stage.best_by for stage in self.stages if stage.best_by in ANSWERED]
        if wanted and not self.questions and self.synthesis is None:
            raise ValueError(f"{wanted[0]} needs questions: name files in `questions`, or a glossary and `synthesis`")
        if any(stage.best_by in ANSWERED for stage in self.stages) and not self.answers.watched:
            raise ValueError("best_by looks at answers while training: set answers.watched above 0")
        return self

    @model_validator(mode="after")
    def extraction_has_one_stage(self) -> Recipe:
        by = next((stage for stage in self.stages if stage.best_by in EXTRACTED), None)
        if self.extract is None and by is not None:
            raise ValueError(
                f"stage {by.name}: best_by {by.best_by} is for a recipe with `extract`; take validation_loss"
            )
        if self.extract is not None:
            if len(self.stages) > 1 or self.base is None or self.stages[0].examples is None:
                raise ValueError(
                    "a recipe with `extract` has a base and one stage, with `examples: {}`: every fold trains it"
                )
            if self.stages[0].name in RESERVED:
                raise ValueError(
                    f"a stage cannot be called {self.stages[0].name!r}: it is measured beside another of that name"
                )
        return self

    @model_validator(mode="after")
    def fight_has_its_sides(self) -> Recipe:
        if self.fight is not None and (self.extract is not None or self.synthesis is not None):
            raise ValueError("fight: it writes and measures in its own way: remove `extract` and `synthesis`")
        fights_fairly(self.stages, self.base, self.questions, fights=self.fight is not None)
        return self

    @model_validator(mode="after")
    def requirements_can_be_met(self) -> Recipe:
        measured = self.measure.metrics
        for text in self.require:
            required = read_requirement(text)
            asked = [term.metric for term in required.terms if term.metric not in YARDSTICKS]
            missing = [metric for metric in asked if not any(measured_by(metric, name) for name in measured)]
            if missing and (measured or missing[0].startswith("lm_eval_")):
                raise ValueError(f"require: {text}: {missing[0]} is not among measure.metrics: add it there")
            if not self.measure.style_words and any(metric.startswith(STYLED) for metric in asked):
                raise ValueError(
                    f"require: {text}: a style is measured only on words written for it: set measure.style_words"
                )
            if self.base is None and any(term.split == "general" for term in required.terms):
                raise ValueError(f"require: {text}: general text is measured only where a base could forget it")
            if required.change and not lineage(self.stages)[self.stages[-1].name]:
                raise ValueError(
                    f"require: {text}: from scratch, nothing was measured before; require the number itself"
                )
        return self

    @model_validator(mode="after")
    def dial_has_two_ends(self) -> Recipe:
        origin = self.dial.origin
        names = [stage.name for stage in self.stages]
        if origin is not None and origin not in names[:-1]:
            raise ValueError(unknown(f"stage {origin!r} before the last, for dial.from", origin, names[:-1]))
        if self.dial.wish and (origin or "base") not in lineage(self.stages)[names[-1]]:
            raise ValueError("dial: the last stage was not tuned from "
                             + (f"{origin!r}" if origin else "a base: name an earlier stage, as `from: STAGE`"))  # fmt: skip
        return self


RESERVED = ("few-shot", "pattern", "encoder")
"""Subjects that a taught model is measured beside."""
RATES = {"scratch": 3e-3, "full": 5e-5, "lora": 5e-4, "qlora": 5e-4}
"""Peak learning rates of AdamW: low-rank differences want ten times what full tuning wants, at every size of base
(Schulman et al. 2025, "LoRA Without Regret")."""
DECAYS = {"scratch": 0.1, "full": 0.0, "lora": 0.0, "qlora": 0.0}


def settle(recipe: Recipe) -> Recipe:
    """The recipe with the settings that follow the method written out: learning rate and weight decay."""
    stages = []
    for stage in recipe.stages:
        kind, given = stage.method.kind, stage.optimizer
        rate = RATES[kind] if given.learning_rate is None else given.learning_rate
        decay = DECAYS[kind] if given.weight_decay is None else given.weight_decay
        optimizer = given.model_copy(update={"learning_rate": rate, "weight_decay": decay})
        stages.append(stage.model_copy(update={"optimizer": optimizer}))
    return recipe.model_copy(update={"stages": tuple(stages)})


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
        except FileNotFoundError:
            raise RecipeError(f"there is no recipe file {name}; `wellread new novel {path.name}` writes one.") from None
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"cannot read the recipe {name}: {error}") from None
    if name not in shipped():
        raise RecipeError(unknown(f"recipe {name!r}", name, shipped()))
    return (resources.files("wellread") / "recipes" / f"{name}.yaml").read_text(encoding="utf-8")


def load_recipe(name: str, settings: Sequence[str] = ()) -> Recipe:
    """A recipe by name or path, with `--set stage.key=value` overrides. Raises RecipeError in one line."""
    return parse_recipe(recipe_text(name), settings, source=name)


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
    size = next((text.removeprefix("size=") for text in settings if text.startswith("size=")), raw.get("size", ""))
    settings = [text for text in settings if not text.startswith("size=")]
    recipe = _validate({**raw, "size": ""}, source)
    sized: tuple[str, ...] = ()
    if size and (recipe.sizes or size != raw.get("size")):
        if size not in recipe.sizes:
            raise RecipeError(f"{source}: {unknown(f'size {size!r}', str(size), recipe.sizes)}")
        sized = recipe.sizes[size]
    if not settings and not size:
        return recipe
    resolved = {**recipe.model_dump(mode="json"), "size": size, "sizes": {}}
    for several in (sized, settings):
        override(resolved, several)
    return _validate(resolved, source)


def _validate(raw: Mapping[str, Any], source: str) -> Recipe:
    try:
        return Recipe.model_validate(raw)
    except ValidationError as error:
        raise RecipeError(f"{source}: {_first_problem(error, raw)}") from None


def _first_problem(error: ValidationError, raw: Mapping[str, Any]) -> str:
    found = error.errors(include_url=False)
    # a stage that is no stage leaves the list of stages short: the first is the cause, the second is no news
    problems = [each for each in found if each["type"] != "too_short"] or found
    first = problems[0]
    place = _place(first["loc"], raw)
    if first["type"] == "extra_forbidden":
        name = str(first["loc"][-1])
        # a slip at the top is first looked for among the names there
        said = unknown(f"setting {place!r}", name, _near(name, first["loc"]))
    elif first["type"] == "value_error":
        said = f"{place}: {first['ctx']['error']}" if first["loc"] else str(first["ctx"]["error"])
    else:
        wanted = [each["msg"][0].lower() + each["msg"][1:] for each in problems if _place(each["loc"], raw) == place]
        said = f"{place}: {', or '.join(wanted)}; found {first['input']!r}"
    others = len({_place(each["loc"], raw) for each in problems}) - 1
    return said + (f" (and {others} more)" if others else "")


def _place(loc: Sequence[int | str], raw: Mapping[str, Any]) -> str:
    """Where a problem lies, as `--set` would write it: stages by name, without the kinds that pydantic tried."""
    parts = list(loc)
    if len(parts) > 1 and parts[0] == "stages" and isinstance(parts[1], int):
        stage = raw["stages"][parts[1]]
        parts[:2] = [stage["name"]] if isinstance(stage, Mapping) and "name" in stage else ["stages", parts[1]]
    if "method" in parts:
        del parts[parts.index("method") + 1 : parts.index("method") + 2]
    if parts and (parts[-1] in {"int", "float", "str"} or str(parts[-1]).startswith("literal[")):
        parts.pop()
    return ".".join(map(str, parts)) or "recipe"


def _near(name: str, loc: Sequence[int | str]) -> set[str]:
    here = set(Recipe.model_fields) if len(loc) == 1 else set()
    return here if get_close_matches(name, here) else _keys(Recipe)


def _keys(record: type[BaseModel]) -> set[str]:
    """Every key that may stand anywhere in a recipe."""
    parts = (CorpusSettings, Stage, Scratch, Lora, Qlora, Windows, RandomWindows, Examples, Mix, Budget, Optimizer,
             SamplingSettings, MeasureSettings, DialSettings, SynthesisSettings, Answering, Fight, Extraction, Coordinates,
             Patterns, CanonSettings)  # fmt: skip
    return {field.alias or key for each in (record, *parts) for key, field in each.model_fields.items()}


def recipe_yaml(recipe: Recipe) -> str:
    """The recipe with every default written out."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100)


DECIDES_NOTHING = {"sampling": {"generate_during_eval"}}
"""What a recipe says that no result depends on."""


def fingerprint(*parts: object) -> str:
    """Eight hexadecimal digits of whatever decides a result: the same parts, the same folder."""
    plain = [p.model_dump(mode="json", exclude=DECIDES_NOTHING) if isinstance(p, BaseModel) else p for p in parts]
    canonical = json.dumps(plain, sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:8]
