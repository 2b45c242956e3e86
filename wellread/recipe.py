"""A recipe is data: which text, which base, how it is taught, what is sampled and measured. YAML in, frozen records out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from wellread.conditions import read_condition
from wellread.errors import RecipeError
from wellread.overriding import override
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
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of activations dropped while training: raise it as epochs grow."""


class Full(Record):
    """Every weight of the base trains: learns most, forgets most, and needs memory for all of it four times."""

    kind: Literal["full"] = "full"


class LowRank(Record):
    """What `lora` and `qlora` share: a low-rank difference on the linear layers, which alone trains."""

    rank: int | Literal["auto"] = "auto"
    """Width of the adapter: a wider one remembers more, and forgets more; `auto` sizes it to the text (8 to 128)."""
    alpha: float = Field(default=32, gt=0)
    """Scale of the difference: alpha / rank multiplies it (alpha / sqrt(rank) with `rslora`)."""
    rslora: bool = False
    """Rank-stabilised scaling, for ranks of 64 and more."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of the adapter's inputs dropped while training."""
    modules: tuple[str, ...] = ()
    """Names of the linear layers that are adapted, such as `q_proj`; none: all but the output."""
    bias: Literal["none", "all", "lora_only"] = "none"
    """Which bias vectors of the base train too."""
    adapter: Literal["continue", "merge"] = "continue"
    """What becomes of an adapter that the stage starts from: it goes on, or is merged and a new one begins."""

    @field_validator("rank")
    @classmethod
    def rank_in_bounds(cls, rank: int | Literal["auto"]) -> int | Literal["auto"]:
        if rank != "auto" and not 1 <= rank <= 1024:
            raise ValueError(f"rank is 1 to 1024, or auto; found {rank}")
        return rank


class Lora(LowRank):
    """The base stays as it is; its linear layers gain a low-rank difference that trains."""

    kind: Literal["lora"] = "lora"


class Qlora(LowRank):
    """LoRA on a base whose frozen matrices are held in 4 or 8 bits: a fifth to a third of the memory."""

    kind: Literal["qlora"] = "qlora"
    quantization: Literal["nf4", "int8"] = "nf4"
    """How the frozen matrices are held: 4-bit NormalFloat, or 8-bit integers."""
    double_quantization: bool = True
    """Quantise nf4's own scales too: 0.4 bits a weight less."""


Method = Annotated[Scratch | Full | Lora | Qlora, Field(discriminator="kind")]


class Windows(Record):
    length: int = Field(default=256, ge=16)
    """Tokens in a window."""
    stride: int | None = Field(default=None, ge=1)
    """Tokens between two windows; None: as long as the window. Re-cut at a new offset every epoch."""


class RandomWindows(Record):
    """Windows drawn evenly from a library too large to read whole; `windows.length` long."""

    texts: tuple[str, ...] = Field(min_length=1)
    """Files or folders of text, JSONL or Parquet, `library:NAME`, or a hub dataset id (`owner/name:config`)."""
    n: int = Field(default=1_000_000, ge=1)
    """How many windows are drawn."""
    column: str = "text"
    """Where a row of JSONL or Parquet has its text."""


class Examples(Record):
    """Prompts with their completions, or chats: the loss is on the answers only."""

    files: tuple[str, ...] = ()
    """JSONL, each row `prompt` and `completion`, or `messages`; none: such rows among the run's own texts."""


class Mix(Record):
    """Replay of other text beside the stage's own, against forgetting."""

    texts: tuple[str, ...] = ("library:novella", "library:conte")
    """Files, folders or `library:NAME`; nothing of what `general` measures."""
    share: float = Field(default=0.25, gt=0, lt=1)
    """Share of the windows that are replay; drawn anew every epoch."""


class Budget(Record):
    """How long a stage trains: exactly one of the four. The learning rate's schedule ends where the budget does."""

    epochs: float | None = Field(default=None, gt=0)
    """Passes over the training part."""
    steps: int | None = Field(default=None, ge=1)
    """Optimizer steps."""
    tokens: int | None = Field(default=None, ge=1)
    """Tokens read."""
    minutes: float | None = Field(default=None, gt=0)
    """Minutes of training with its validation, on this machine; preparation and the final measurement not counted."""

    @model_validator(mode="after")
    def exactly_one(self) -> Budget:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"a budget needs exactly one of epochs, steps, tokens, minutes; found {given or 'none'}")
        return self


class Optimizer(Record):
    kind: Literal["auto", "adamw", "muon", "paged_adamw_8bit"] = "auto"
    """`muon`: Muon for the hidden matrices and AdamW for the rest; `paged_adamw_8bit`: AdamW with 8-bit state in paged
    memory (CUDA); `auto`: the last for qlora on CUDA, else AdamW."""
    learning_rate: float | None = Field(default=None, gt=0)
    """Peak learning rate of AdamW; None: by method (scratch 3e-3, full 5e-5, lora and qlora 5e-4)."""
    muon_learning_rate: float = Field(default=0.02, gt=0)
    """Peak learning rate of Muon; read only by `muon`."""
    weight_decay: float | None = Field(default=None, ge=0)
    """Decoupled weight decay of the matrices; None: by method (scratch 0.1, else 0)."""
    batch: int = Field(default=8, ge=1)
    """Windows per optimizer step, whatever the number of processes."""
    micro_batch: int | None = Field(default=None, ge=1)
    """Windows that a process computes at once; their gradients add up to `batch`. None: its whole share."""
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
    start: str = "previous"
    """What the stage starts from: `previous` (for the first stage the base), `base`, or an earlier stage's name."""
    windows: Windows = Windows()
    random_windows: RandomWindows | None = None
    """Read windows drawn from a large library in place of the book."""
    examples: Examples | None = None
    """Read prompts with completions, or chats, in place of the book."""
    mix: Mix | None = None
    """Read other text beside it, against forgetting."""
    goldfish: int = Field(default=0, ge=0)
    """Leave one token in so many out of the loss, chosen by its context, so that no passage is learned by heart; 0: none."""
    budget: Budget
    optimizer: Optimizer = Optimizer()
    keep: Literal["best", "last", "average"] = "last"
    """Which weights a stage ends with: best on validation, the last, or the average of the late ones."""
    evaluations: int = Field(default=10, ge=1)
    """How often validation is measured over the budget."""
    validation_windows: int = Field(default=64, ge=1)
    """Windows that one validation reads at most, spread evenly over the validation part."""
    patience: int | None = Field(default=None, ge=1)
    """Stop after so many evaluations in a row without a lower validation loss; None: never early."""
    until: str | None = None
    """Stop at a measured dose, such as `greedy_recited_share > 0.02`; looked at with every evaluation."""
    checkpoint_minutes: float = Field(default=2.0, gt=0)
    """A killed run loses at most this much training."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Arithmetic of training; `auto` takes bfloat16 only where the machine computes it faster."""
    attention: Literal["auto", "eager", "sdpa", "flash_attention_2"] = "auto"
    """Attention kernel; `auto`: flash_attention_2 on CUDA where it is installed, else sdpa."""
    gradient_checkpointing: Literal["auto", "on", "off"] = "auto"
    """Compute activations twice rather than keep them; `auto`: where they would not fit the machine's memory."""
    shard: bool = False
    """With several processes: each holds a share of the weights (FSDP) rather than all of them."""

    @field_validator("gradient_checkpointing", mode="before")
    @classmethod
    def on_and_off_are_words(cls, value: object) -> object:
        """YAML reads a bare `on` or `off` as a truth value."""
        return {True: "on", False: "off"}[value] if isinstance(value, bool) else value

    @model_validator(mode="after")
    def fits_together(self) -> Stage:
        if self.random_windows and self.examples:
            raise ValueError(f"stage {self.name} reads either random_windows or examples: remove one of them")
        if self.goldfish == 1:
            raise ValueError("goldfish: 1 would leave every token out; take 2 or more, or 0 for none")
        if self.until:
            dose = read_condition(self.until)
            if dose.split not in ("train", "validation"):
                raise ValueError(f"until: {dose.split} is not for steering; take train or validation")
            if dose.split == "train" and "recited" not in dose.metric:
                raise ValueError(f"until: {dose.metric} is looked at on validation; only recited shares on train")
            if (dose.split == "validation" and "recited" in dose.metric) or dose.metric.startswith("longest"):
                raise ValueError(f"until: {dose.metric} is not measured on {dose.split}; take greedy_recited_share on train")
        if self.windows.stride and (self.random_windows or self.examples):
            raise ValueError(f"stage {self.name}: windows.stride is for reading the book; remove it")
        if isinstance(self.method, Scratch) and self.start not in ("previous", "base"):
            raise ValueError(f"stage {self.name} begins from scratch, so it cannot start from {self.start!r}")
        return self


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
    general: tuple[str, ...] = ("library:general_en", "library:general_fr")
    """Text of other kinds, measured before and after each stage: what was forgotten. Files, folders or `library:NAME`."""
    stages: tuple[Stage, ...] = Field(min_length=1)
    sampling: SamplingSettings = SamplingSettings()
    measure: MeasureSettings = MeasureSettings()
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
            read = (*(stage.mix.texts if stage.mix else ()), *(stage.random_windows.texts if stage.random_windows else ()))
            for text in read:
                if text in self.general:
                    raise ValueError(f"stage {stage.name} reads {text}, by which forgetting is measured: take it out of "
                                     "`general`, or read other text")  # fmt: skip
            before = {each.name: each for each in self.stages[: len(names)]}
            origin = self.stages[len(names) - 1] if stage.start == "previous" and names else before.get(stage.start)
            if origin is not None:
                _goes_on(stage, origin)
            names.append(stage.name)
        return self


def _goes_on(stage: Stage, origin: Stage) -> None:
    """Refuse early what the weights would refuse once the earlier stage is trained: an adapter of another shape."""
    mine, theirs = stage.method, origin.method
    if not (isinstance(mine, LowRank) and isinstance(theirs, LowRank)) or mine.adapter == "merge":
        return
    for name in ("rank", "alpha", "rslora", "bias", "modules"):
        asked, has = getattr(mine, name), getattr(theirs, name)
        if asked != has and "auto" not in (asked, has) and asked != ():
            raise ValueError(f"stage {stage.name} goes on with the adapter of {origin.name}, whose {name} is {has}, not "
                             f"{asked}: ask for the same, or set adapter: merge")  # fmt: skip


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
    if size and (recipe.sizes or size != raw.get("size")):
        if size not in recipe.sizes:
            raise RecipeError(f"{source}: {unknown(f'size {size!r}', str(size), recipe.sizes)}")
        settings = [*recipe.sizes[size], *settings]
    if not settings and not size:
        return recipe
    resolved = {**recipe.model_dump(mode="json"), "size": size, "sizes": {}}
    for setting in settings:
        override(resolved, setting)
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
    parts = (CorpusSettings, Stage, Scratch, Lora, Qlora, Windows, RandomWindows, Examples, Mix, Budget, Optimizer,
             SamplingSettings, MeasureSettings)  # fmt: skip
    return {key for each in (record, *parts) for key in each.model_fields}


def recipe_yaml(recipe: Recipe) -> str:
    """The recipe with every default written out."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100)


def fingerprint(*parts: object) -> str:
    """Eight hexadecimal digits of whatever decides a result: the same parts, the same folder."""
    canonical = json.dumps(
        [p.model_dump(mode="json") if isinstance(p, BaseModel) else p for p in parts], sort_keys=True
    )
    return hashlib.sha256(canonical.encode()).hexdigest()[:8]
