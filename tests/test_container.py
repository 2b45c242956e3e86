"""Dockerfile and compose.yaml: what they name exists, nothing runs as root or unlocked, and every step and service runs here.

There is no container engine where this is tested. So the steps are read and done in a fresh folder and a fresh virtual
environment, their paths below that folder; what would change the machine (apt, users) is looked up and not done.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from containers import ROOT, Image, Step, ignored, let_in, steps

from wellread.testing import tiny_model

STEPS = steps((ROOT / "Dockerfile").read_text(encoding="utf-8"))
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PORTS = {"lab": 8000, "studio": 7860, "api": 8080}
KEY, PASSWORD, TOKEN = "k" * 24, "eight or more", "t" * 24


def of(word: str, stage: str = "") -> list[Step]:
    return [step for step in STEPS if step.word == word and stage in ("", step.stage)]


def test_one_image_and_three_services_on_it() -> None:
    words = {"FROM", "ENV", "ARG", "RUN", "COPY", "WORKDIR", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK", "CMD"}
    assert {step.word for step in STEPS} <= words
    assert [step.rest.partition(" AS ")[0] for step in of("FROM")] == ["python:3.11-slim", *["wellread"] * 3]
    for name, port in PORTS.items():
        assert [step.rest for step in of("EXPOSE", name)] == [str(port)]
        assert str(port) in " ".join(of("CMD", name)[0].listed)
        assert f"127.0.0.1:{port}/" in " ".join(of("HEALTHCHECK", name)[0].listed)
        assert COMPOSE["services"][name]["build"]["target"] == name
        assert COMPOSE["services"][name]["ports"] == [f"${{WELLREAD_BIND:-127.0.0.1}}:{port}:{port}"]
    assert COMPOSE["services"].keys() == PORTS.keys()
    nvidia = yaml.safe_load((ROOT / "compose.nvidia.yaml").read_text(encoding="utf-8"))["services"]
    assert nvidia.keys() == PORTS.keys()
    assert all(each["build"]["args"] == {"TORCH_INDEX": ""} for each in nvidia.values())


def test_what_is_copied_is_there_and_let_in() -> None:
    for step in of("COPY"):
        for source in [word for word in step.rest.split() if not word.startswith("--")][:-1]:
            assert (ROOT / source).exists(), source
            assert let_in(source, ignored()), source
    assert let_in("wellread/recipes/novel.yaml", ignored())
    for kept_out in (".env", ".git/config", "runs/a/report.html", "tests/test_cli.py", "keys.txt",
                     "wellread/__pycache__/a.pyc", "notebooks/runs/a.json"):  # fmt: skip
        assert not let_in(kept_out, ignored()), kept_out


def test_nothing_is_root_and_no_secret_is_within() -> None:
    assert [step.rest for step in of("USER")] == ["reader"]
    assert STEPS.index(of("USER")[0]) < STEPS.index(of("CMD")[0])
    for step in of("ENV") + of("ARG"):
        assert not re.search("TOKEN|PASSWORD|SECRET|KEY", step.rest)
    for service in COMPOSE["services"].values():
        assert service["cap_drop"] == ["ALL"]
        assert not service.get("privileged")


def test_versions_are_those_that_were_tried_together() -> None:
    made = (ROOT / "Makefile").read_text(encoding="utf-8")
    installs = [part for step in of("RUN") for part in step.rest.split("&&") if "pip install" in part]
    for part in installs:
        for pin in re.findall(r"\S+==\S+", part):
            assert pin in made
        assert "--no-deps" in part or "--constraint constraints.txt" in part
    [extras] = re.findall(r"'\.\[(.*)\]'", " ".join(installs))
    assert set(extras.split(",")) <= PROJECT["optional-dependencies"].keys()
    pinned = {line.partition("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines()[1:]}
    wanted = [each for extra in extras.split(",") for each in PROJECT["optional-dependencies"][extra]]
    wanted += PROJECT["dependencies"]
    assert {re.split(r"[^\w-]", each)[0].lower() for each in wanted} - pinned == set()


def test_compose_starts_nothing_without_token_password_and_key() -> None:
    text = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    given = dict(line.split("=", 1) for line in example.splitlines() if line and not line.startswith("#"))
    assert set(re.findall(r"\$\{(\w+)", text)) == given.keys()
    demanded = {"WELLREAD_LAB_TOKEN", "WELLREAD_STUDIO_PASSWORD", "WELLREAD_KEY_FILE"}
    assert set(re.findall(r"\$\{(\w+):\?", text)) == demanded
    assert {name for name, value in given.items() if not value} == demanded
    assert given["WELLREAD_BIND"] == "127.0.0.1"
    assert ".env\n" in (ROOT / ".gitignore").read_text(encoding="utf-8")


def test_volumes_lie_on_folders_of_the_user() -> None:
    made = " ".join(step.rest for step in of("RUN") + of("COPY"))
    for service in COMPOSE["services"].values():
        for volume in service["volumes"]:
            name, path = volume.split(":")[:2]
            assert name in COMPOSE["volumes"]
            assert path.removeprefix("/home/reader/") in made


def test_system_packages_exist() -> None:
    packages = [word for step in of("RUN") if "apt-get install" in step.rest
                for word in step.rest.partition("apt-get install")[2].partition("&&")[0].split() if word[0] != "-"]  # fmt: skip
    assert packages == ["libgomp1"]
    if shutil.which("apt-cache") is None:
        pytest.skip("apt is not here, so nobody can say whether Debian has them")
    told = subprocess.run(["apt-cache", "policy", *packages], capture_output=True, text=True).stdout
    if "Candidate" not in told:
        pytest.skip("apt has no lists here: apt-get update brings them")
    assert told.count("Candidate: ") - told.count("Candidate: (none)") == len(packages)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def status(url: str, **headers: str) -> tuple[int, str]:
    """What answers, and the beginning of what it says; redirections are not followed, proxies not asked."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: Any, **__: Any) -> None:
            return None

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), Stay)
    try:
        with opener.open(urllib.request.Request(url, headers=headers), timeout=60) as answer:
            return answer.status, answer.read(4000).decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read(4000).decode()


@contextmanager
def service(image: Image, name: str, **environment: str) -> Iterator[tuple[str, list[str]]]:
    """The CMD of a stage, started in the image on a port that is free: its address, and the words of its health check."""
    port = free_port()

    def here(words: list[str]) -> list[str]:
        placed = [re.sub(r"(^|=)/(home|run)/", rf"\1{image.root.as_posix()}/\2/", word) for word in words]
        return [word.replace(str(PORTS[name]), str(port)) for word in placed]

    words = here(of("CMD", name)[0].listed)
    words[0] = shutil.which(words[0], path=image.environment["PATH"]) or words[0]
    if name == "lab" and hasattr(os, "geteuid") and os.geteuid() == 0:
        words.append("--allow-root")  # which the image's user is not
    if name == "api":
        words[words.index("embedded")] = str(image.root / "tiny")
    log = image.root / f"{name}.log"
    with log.open("w", encoding="utf-8") as said, subprocess.Popen(
        words, cwd=image.here, env=image.environment | environment, stdout=said, stderr=subprocess.STDOUT,
    ) as running:  # fmt: skip
        try:
            for _ in range(2400):
                if running.poll() is not None:
                    raise AssertionError(
                        f"{words} ended with {running.returncode}: {log.read_text(encoding='utf-8')[-2000:]}"
                    )
                try:
                    status(f"http://127.0.0.1:{port}/")
                    break
                except OSError:
                    time.sleep(0.25)
            yield f"http://127.0.0.1:{port}", here(of("HEALTHCHECK", name)[0].listed)
        finally:
            running.terminate()


def check_services(image: Image, names: list[str]) -> None:
    """Every service answers on its port with what it asks for, refuses without, and passes its own health check."""
    keys = image.root / "run" / "secrets" / "api_keys"
    keys.parent.mkdir(parents=True, exist_ok=True)
    keys.write_text(f"# of a client\n{KEY}\n", encoding="utf-8")
    tiny_model(image.root / "tiny")
    for name in names:
        given = {"lab": {"JUPYTER_TOKEN": TOKEN}, "studio": {"WELLREAD_STUDIO_PASSWORD": PASSWORD}, "api": {}}[name]
        with service(image, name, **given) as (url, health):
            if name == "lab":
                assert status(f"{url}/api/contents")[0] == 403
                assert status(f"{url}/api/contents", Authorization="token wrong")[0] == 403
                assert status(f"{url}/api/contents/notebooks", Authorization=f"token {TOKEN}")[0] == 200
                assert status(f"{url}/lab")[0] == 302
            elif name == "studio":
                basic = {"Authorization": "Basic " + b64encode(f"any:{PASSWORD}".encode()).decode()}
                assert status(f"{url}/")[0] == 401
                code, page = status(f"{url}/", **basic)
                assert code == 200
                assert "<html" in page
            else:
                assert status(f"{url}/healthz")[0] == 401
                assert status(f"{url}/healthz", Authorization=f"Bearer {KEY}") == (200, '{"status":"ok"}')
                assert "tiny" in status(f"{url}/v1/models", Authorization=f"Bearer {KEY}")[1]
            for _ in range(3):  # as often as an engine asks before it calls a service ill
                done = subprocess.run(
                    health, cwd=image.here, env=image.environment | given, capture_output=True, text=True
                )
                if done.returncode == 0:
                    break
            assert done.returncode == 0, done.stderr
        assert (
            subprocess.run(health, cwd=image.here, env=image.environment | given, capture_output=True).returncode == 1
        )


@pytest.mark.slow
def test_the_services_start_lock_their_doors_and_are_well(tmp_path: Path) -> None:
    for package in ("gradio", "fastapi", "uvicorn"):
        pytest.importorskip(package)
    paths = [str(Path(sys.executable).parent), *os.environ["PATH"].split(os.pathsep)]
    image = Image(
        tmp_path, {**os.environ, "PATH": os.pathsep.join(paths), "PYTHONPATH": os.environ.get("PYTHONPATH", str(ROOT))}
    )
    image.build([step for step in STEPS if step.stage == "wellread" and step.word in ("ENV", "WORKDIR", "COPY")], {})
    check_services(image, ["studio", "api"])
    without = subprocess.run([sys.executable, "-m", "wellread", *of("CMD", "studio")[0].listed[1:]], cwd=tmp_path,
                             env=image.environment, capture_output=True, text=True)  # fmt: skip
    assert (without.returncode, "WELLREAD_STUDIO_PASSWORD" in without.stderr) == (2, True)
    (tmp_path / "none").write_text("", encoding="utf-8")
    words = [str(tmp_path / "none") if "secrets" in word else word for word in of("CMD", "api")[0].listed[1:]]
    without = subprocess.run([sys.executable, "-m", "wellread", *words], cwd=tmp_path, env=image.environment,
                             capture_output=True, text=True)  # fmt: skip
    assert (without.returncode, "there is no key in it" in without.stderr) == (2, True)


@pytest.mark.slow
@pytest.mark.skipif(
    not os.environ.get("WELLREAD_CONTAINER"), reason="installs 3 GB anew, for minutes: WELLREAD_CONTAINER=1 asks for it"
)
def test_every_step_in_a_clean_environment(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in ("HOME", "LANG") or name.startswith(("PIP_", "SSL_"))
    }
    image = Image(tmp_path, {**kept, "PATH": f"{tmp_path / 'venv' / 'bin'}:/usr/local/bin:/usr/bin:/bin"})
    # with CUDA or without is the index's affair; this one is asked for what is usual here
    image.build([step for step in STEPS if step.stage == "wellread"], {"TORCH_INDEX": ""})
    assert [each.split()[0] for each in image.passed_over] == ["apt-get", "useradd"]
    assert shutil.which("useradd") or sys.platform != "linux"
    image.environment["HOME"] = str(tmp_path / "home" / "reader")
    found = subprocess.run(["python", "-c", "import wellread; print(wellread.__file__)"], cwd=image.here, env=image.environment,
                           capture_output=True, text=True)  # fmt: skip
    assert "site-packages" in found.stdout, found.stderr
    assert (image.here / "notebooks" / "runs").is_dir()
    check_services(image, ["lab", "studio", "api"])
