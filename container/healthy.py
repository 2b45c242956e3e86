"""The address of a service in this container in; exit 0 if it answers with 200, else 1."""

from __future__ import annotations

import argparse
import base64
import os
import sys
import urllib.request
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--key-file", help="Send its first key, as a client of `wellread serve` does.")
    parser.add_argument("--password", metavar="NAME", help="Send the password that this environment variable holds.")
    asked = parser.parse_args()
    headers = {}
    if asked.key_file:
        lines = [line.strip() for line in Path(asked.key_file).read_text(encoding="utf-8-sig").splitlines()]
        headers["Authorization"] = f"Bearer {next(line for line in lines if line and not line.startswith('#'))}"
    if asked.password:
        packed = base64.b64encode(f"health:{os.environ[asked.password]}".encode()).decode()
        headers["Authorization"] = f"Basic {packed}"
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(urllib.request.Request(asked.url, headers=headers), timeout=10) as answer:
            return int(answer.status != 200)
    except OSError as error:
        sys.stderr.write(f"{asked.url}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
