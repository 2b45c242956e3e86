"""A stage of a recipe, as records: what it reads, for how long, how its steps are taken, what stops it and what it keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, field_validator, model_validator

from wellread.conditions import read_condition
from wellread.recipe.methods import LowRank, Method, Record, Scratch
from wellread.recipe.overriding import BUDGETS
from wellread.recipe.questions import ANSWERED, EXTRACTED, HONEST
from wellread.registry import unknown

STYLED = ("burrows_delta", "cosine_delta", "style_")
"""Beginnings of the metrics that need `measure.style_words`."""
WRITTEN = ("longest_recited_words", "recited_coverage", *STYLED)
"""Beginnings of the metrics that are measured on what a model writes, which no dose waits for."""
LOSS = "validation_loss"
BEST_BY = (LOSS, "recall_exact", *HONEST, *EXTRACTED)
"""What the best weights are chosen by."""


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
    passages: bool = False
    """In a recipe with `fight`: the questions with passages in view, right ones and others, as the model meets them later."""


class Mix(Record):
    """Replay of other text beside the stage's own, against forgetting."""

    texts: tuple[str, ...] = ("library:novella", "library:conte")
    """Files, folders or `library:NAME`; nothing of what `general` measures. Chats are replayed as chats, with loss on
    the answers only; beside texts they take half of the share."""
    share: float = Field(default=0.25, gt=0, lt=1)
    """Share of the windows that are replay; drawn anew every epoch."""


RECITED_TOKENS = 100
"""A span of 50 tokens and the 50 before it: what a model must see for its recitation to be measured."""


class Budget(Record):
    """How long a stage trains: exactly one of the first four. The learning rate's schedule ends where the budget does."""

    epochs: float | None = Field(default=None, gt=0)
    """Passes over the training part."""
    steps: int | None = Field(default=None, ge=1)
    """Optimizer steps."""
    tokens: int | None = Field(default=None, ge=1)
    """Tokens read."""
    minutes: float | None = Field(default=None, gt=0)
    """Minutes of training with its validation, on this machine; preparation and the final measurement not counted."""
    least_steps: int | None = Field(default=None, ge=1)
    """Optimizer steps that a budget in epochs has at the least: little text takes more passes to be learned. Whoever sets another
    budget (`--set`, `--minutes`) does without them, unless they are set too."""

    @model_validator(mode="after")
    def exactly_one(self) -> Budget:
        given = [name for name in BUDGETS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"a budget needs exactly one of {', '.join(BUDGETS)}; found {given or 'none'}")
        if self.least_steps is not None and self.epochs is None:
            raise ValueError(f"least_steps goes with epochs; this budget is in {given[0]}")
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
    best_by: str = LOSS
    """What `keep: best` chooses by: `validation_loss`, or a measure of answers to validation questions, such as
    `recall_exact`, or, in a recipe with `extract`, of validation rows, such as `line_f1`; of equals the one with the lower loss."""
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
        if self.best_by not in BEST_BY:
            raise ValueError(unknown(f"measure {self.best_by!r} to choose weights by", self.best_by, BEST_BY))
        if self.best_by != LOSS and self.keep != "best":
            raise ValueError(f"best_by: {self.best_by} chooses nothing with keep: {self.keep}; set keep: best")
        if self.until and read_condition(self.until).metric in ANSWERED:
            raise ValueError("until: answers are no dose; keep: best with best_by: recall_exact chooses by them")
        if self.until:
            dose = read_condition(self.until)
            if dose.split not in ("train", "validation"):
                raise ValueError(f"until: {dose.split} is not for steering; take train or validation")
            if dose.split == "train" and "recited" not in dose.metric:
                raise ValueError(f"until: {dose.metric} is looked at on validation; only recited shares on train")
            if (dose.split == "validation" and "recited" in dose.metric) or dose.metric.startswith(WRITTEN):
                raise ValueError(
                    f"until: {dose.metric} is not measured on {dose.split}; take greedy_recited_share on train"
                )
            if "recited" in dose.metric and isinstance(self.method, Scratch) and self.windows.length < RECITED_TOKENS:
                raise ValueError(f"until: recitation is measured on {RECITED_TOKENS} tokens, and a model from scratch sees "
                                 f"windows of {self.windows.length}; take windows.length: 128 or more")  # fmt: skip
        if self.windows.stride and (self.random_windows or self.examples):
            raise ValueError(f"stage {self.name}: windows.stride is for reading the book; remove it")
        if isinstance(self.method, Scratch) and self.start not in ("previous", "base"):
            raise ValueError(f"stage {self.name} begins from scratch, so it cannot start from {self.start!r}")
        return self


def goes_on(stage: Stage, origin: Stage) -> None:
    """Refuse early what the weights would refuse once the earlier stage is trained: an adapter of another shape."""
    mine, theirs = stage.method, origin.method
    if not (isinstance(mine, LowRank) and isinstance(theirs, LowRank)) or mine.adapter == "merge":
        return
    for name in ("rank", "alpha", "rslora", "bias", "modules"):
        asked, has = getattr(mine, name), getattr(theirs, name)
        if asked != has and "auto" not in (asked, has) and asked != ():
            raise ValueError(f"stage {stage.name} goes on with the adapter of {origin.name}, whose {name} is {has}, not "
                             f"{asked}: ask for the same, or set adapter: merge")  # fmt: skip


def fights_fairly(stages: Sequence[Stage], base: str | None, questions: Sequence[str], *, fights: bool) -> None:
    """Refuse a fair fight without gold questions, a base, or examples; and passages in view where nothing fights."""
    seen = next((stage.name for stage in stages if stage.examples and stage.examples.passages), "")
    if not fights:
        if seen:
            raise ValueError(f"stage {seen}: examples.passages is for a recipe with `fight`")
        return
    if not questions:
        raise ValueError("fight: name files of gold questions in `questions`: all sides are asked these")
    wrong = next((stage.name for stage in stages if stage.examples is None or stage.best_by != LOSS), None)
    if base is None or wrong is not None:
        raise ValueError(f"fight: stage {wrong or stages[0].name} wants a `base`, `examples` and best_by {LOSS}")


def lineage(stages: Sequence[Stage]) -> dict[str, tuple[str, ...]]:
    """What every stage comes from, by its name, the nearest first and the base as `base`; () for one from scratch."""
    found: dict[str, tuple[str, ...]] = {"base": ()}
    before = "base"
    for stage in stages:
        origin = before if stage.start == "previous" else stage.start
        found[stage.name] = () if isinstance(stage.method, Scratch) else (origin, *found[origin])
        before = stage.name
    return {stage.name: found[stage.name] for stage in stages}
