"""What a draw is decided by: the request, the shards' sizes, and from these the place of every window.

The library is one long line of bytes, shard after shard, cut into as many equal stretches as windows are wanted; each
gives one window, at a random place in it. So every shard gives windows by its size, no two windows overlap as long as
the library is large enough, and where a window lies depends on (seed, its number) only: whoever draws a part, and
however often one is killed, the windows are the same.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from wellread.errors import CorpusError, StorageError
from wellread.storage import read_json, storage_errors, write_json
from wellread.tokens.encode import open_tokenizer
from wellread.tokens.library import Measured, Shard, find_shards, measure
from wellread.tokens.stretches import Reader

if TYPE_CHECKING:
    from tokenizers import Tokenizer

FORMAT = "wellread drawn windows 1"
PART = 4_000_000
"""Tokens of a part: what a killed draw does again, at most, for every process."""
BLOCK = 4096
"""Windows whose places are drawn together."""
SAMPLED = 16
"""Shards that tell how many bytes a token has."""

Say = Callable[[str], None]


def begin(
    sources: Sequence[str | Path], tokenizer_folder: Path | str, folder: Path, *, n: int, length: int, seed: int,
    start: int, end: int, column: str = "text",
) -> None:  # fmt: skip
    """Write down what is to be drawn; what the folder holds of another draw goes."""
    shards = find_shards(sources)
    if not shards:
        raise CorpusError(f"no text to draw from in {', '.join(map(str, sources))}: the files are empty")
    _, identity = open_tokenizer(Path(tokenizer_folder))
    request = {
        "format": FORMAT, "n": n, "length": length, "each": max(1, PART // length), "seed": seed, "column": column, "start": start,
        "end": end, "tokenizer": identity, "tokenizer_folder": str(Path(tokenizer_folder).absolute()),
        "shards": [asdict(shard) for shard in shards],
    }  # fmt: skip
    with refusals(folder):
        if folder.is_dir() and any(folder.iterdir()):
            known = noted(folder, "request.json")
            if not isinstance(known, dict) or known.get("format") != FORMAT:
                raise StorageError(f"{folder} holds other files than a draw; choose another folder")
            if _without_places(known) == _without_places(request):
                if known != request:
                    write_json(folder / "request.json", request)
                return
            for name in ("counts.json", "plan.json"):
                (folder / name).unlink(missing_ok=True)
            for name in ("parts", "measured", "engine"):
                if (folder / name).exists():
                    shutil.rmtree(folder / name)
        write_json(folder / "request.json", request)


def measure_shards(folder: Path, rank: int = 0, world: int = 1, *, say: Say = lambda line: None) -> None:
    """Measure every `world`-th shard that is not measured yet, from `rank` on."""
    request = _request(folder)
    for number, shard in list(enumerate(_shards(request)))[rank::world]:
        path = folder / "measured" / f"{number:05d}.json"
        if not path.exists():
            if shard.kind != "text":
                say(f"measuring {shard.name}")
            found = measure(shard, request["column"])
            with refusals(folder):
                write_json(path, asdict(found))


@dataclass(frozen=True, slots=True)
class Plan:
    """Where every window of a draw lies: decided by the request and the shards' sizes."""

    n: int
    length: int
    each: int
    """Windows of a part."""
    seed: int
    column: str
    ends: tuple[int, int]
    shards: tuple[Shard, ...]
    measured: tuple[Measured, ...]
    bytes_per_token: float
    tokenizer: Tokenizer

    @classmethod
    def of(cls, folder: Path) -> Plan:
        """The plan of a draw whose shards are all measured. Raises StorageError where they are not."""
        request = _request(folder)
        shards = _shards(request)
        found = [noted(folder, f"measured/{number:05d}.json") for number in range(len(shards))]
        if None in found:
            raise StorageError(f"{folder}: {found.count(None)} shards are not measured yet; run the draw again")
        measured = tuple(Measured(each["size"], tuple(tuple(mark) for mark in each["marks"])) for each in found)
        tokenizer, identity = open_tokenizer(Path(request["tokenizer_folder"]))
        if identity != request["tokenizer"]:
            raise StorageError(f"{folder}: the tokenizer changed since the draw began; run the draw again")
        known = noted(folder, "plan.json")
        if known is None:
            known = {"bytes_per_token": _bytes_per_token(shards, measured, request["column"], tokenizer)}
            with refusals(folder):
                write_json(folder / "plan.json", known)
        return cls(
            request["n"], request["length"], request["each"], request["seed"], request["column"],
            (request["start"], request["end"]), shards, measured, known["bytes_per_token"], tokenizer,
        )  # fmt: skip

    @property
    def sizes(self) -> list[int]:
        return [each.size for each in self.measured]

    @property
    def parts(self) -> int:
        return -(-self.n // self.each)

    def windows(self, part: int) -> range:
        """Numbers of a part's windows."""
        return range(part * self.each, min(self.n, (part + 1) * self.each))

    def places(self, part: int) -> list[int]:
        """Where a part's windows begin, in order: each somewhere in its stretch, so that it ends there, too, if it can."""
        total = sum(self.sizes)
        stretch, window = total / self.n, self.length * self.bytes_per_token
        room = stretch - window if stretch > window else stretch
        places = np.array(self.windows(part)) * stretch + self._draws(self.windows(part)) * room
        last = max(0.0, total - 1.1 * window)
        return [int(place) for place in np.minimum(places, last)]

    def _draws(self, windows: range) -> npt.NDArray[np.float64]:
        """A number from 0 to 1 for each window, whatever part it stands in."""
        blocks = range(windows.start // BLOCK, -(-windows.stop // BLOCK))
        draws = [np.random.default_rng([self.seed % 2**64, block]).random(BLOCK) for block in blocks]
        begin = windows.start - blocks.start * BLOCK
        return np.concatenate(draws)[begin : begin + len(windows)]


def _bytes_per_token(shards: Sequence[Shard], measured: Sequence[Measured], column: str, tokenizer: Tokenizer) -> float:
    """Of the first 20 kB of sixteen shards, spread over the library. Raises CorpusError where they have no text."""
    chosen = sorted({number * len(shards) // SAMPLED for number in range(SAMPLED)})
    size = tokens = 0
    for number in chosen:
        reader = Reader(shards[number : number + 1], measured[number : number + 1], column, 0)
        stretch = reader.stretch(0, 20_000, keep_space=True)
        for piece in stretch.pieces(20_000)[0] if stretch else ():
            size += len(piece.text.encode())
            tokens += len(tokenizer.encode(piece.text, add_special_tokens=False).ids)
    if not tokens:
        raise CorpusError(f"{shards[0].name}: no text in it to draw from; look at its column {column!r}")
    return size / tokens


def part_path(folder: Path, part: int) -> Path:
    return folder / "parts" / f"{part:05d}.arrow"


def noted(folder: Path, name: str) -> Any:
    """What a draw wrote down; None where it did not yet. Raises StorageError where it is damaged."""
    return read_json(folder / name, mend="Delete the folder and draw again.", optional=True)


def refusals(folder: Path) -> AbstractContextManager[None]:
    """Turn what goes wrong while files are written into a StorageError of one line."""
    mend = "mend that, free space or choose another folder, then run again: it goes on"
    return storage_errors(folder, what=f"the draw into {folder} stopped", mend=mend)


def _without_places(request: dict[str, Any]) -> dict[str, Any]:
    """What decides the windows: where the files lie may change."""
    shards = [{**shard, "path": ""} for shard in request["shards"]]
    return {**request, "tokenizer_folder": "", "shards": shards}


def _request(folder: Path) -> dict[str, Any]:
    found = noted(folder, "request.json")
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise StorageError(f"{folder} holds no draw (request.json is missing); draw again")
    return found


def _shards(request: dict[str, Any]) -> tuple[Shard, ...]:
    return tuple(Shard(**each) for each in request["shards"])
