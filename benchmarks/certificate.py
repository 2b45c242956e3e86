"""A finished run in, its certificate as the docs show it out: the page that this version writes, and no path of the machine in it.

    python benchmarks/certificate.py RUN docs/certificates/NAME.html

Of a path that begins at the root only the last name is left, in the command that is printed too. The page is written from a
copy without weights that is called NAME, so nothing in RUN changes, and without the reading view, which stays beside the run.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

from wellread.reports import write_report

LEFT_OUT = shutil.ignore_patterns(
    "*.safetensors", "*.npz", "*.gguf", "*.pt", "exports", "store", "checkpoint*", "run.lock"
)
"""What a certificate is not made of."""
PATH = re.compile(r"(?<![\w:/.<])/(?:[\w.+@-]+/)+(?=[\w.+@-])|\b[A-Za-z]:\\(?:[\w.+@ -]+\\)+(?=[\w.+@-])")
"""Where a path begins at the root of a machine, up to its last name."""
MOST_BYTES = 400_000


def certificate(run: Path, name: str) -> str:
    """The page of a run under another name, without paths; `python …/cli.py run` is `wellread run`. Raises what `write_report` raises."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / name
        shutil.copytree(run, copy, ignore=LEFT_OUT)
        (copy / "reading.html").unlink(missing_ok=True)
        page = PATH.sub("", write_report(copy).read_text(encoding="utf-8"))
    return re.sub(r"\bcli\.py (?=run )", "wellread ", page)


def main() -> None:
    run, out = Path(sys.argv[1]), Path(sys.argv[2])
    page = certificate(run, out.stem)
    out.write_text(page, encoding="utf-8", newline="\n")
    size = len(page.encode())
    print(
        f"{out}: {size:,} bytes" + (f", more than the {MOST_BYTES:,} that the docs allow" if size > MOST_BYTES else "")
    )


if __name__ == "__main__":
    main()
