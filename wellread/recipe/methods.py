"""What may train, as records of a recipe: from scratch, every weight, or a low-rank difference on frozen ones."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class Record(BaseModel):
    """A part of a recipe: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Scratch(Record):
    """Weights that know nothing: a small Llama-architecture decoder with a tokenizer of its own."""

    kind: Literal["scratch"] = "scratch"
    size: Literal["auto", "tiny", "small", "medium", "large"] = "auto"
    """The one dial of sizes: width, depth and heads follow it; `auto` fits it to the text and the budget."""
    vocabulary: int | Literal["auto"] = Field(default="auto")
    """Tokens of the byte-level BPE that is trained on the training part, and on a sample of a library that is read;
    `auto` fits it to what is read."""
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
