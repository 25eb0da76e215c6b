"""What is handed out: the archive of the sources holds all that the repository does, and says what it is."""

import shutil
import subprocess
import sys
import tarfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

import zoo

ROOT = Path(__file__).parents[1]
OWN = {"PKG-INFO", "setup.cfg"}  # written anew


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    if not (ROOT / ".git").exists():
        pytest.skip("the repository's history is not here")
    if not find_spec("setuptools") or int(version("setuptools").partition(".")[0]) < 77:
        pytest.skip("the setuptools that pyproject.toml asks for is not here")
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    folder = tmp_path_factory.mktemp("sources")
    for name in listed.splitlines():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).exists():
            shutil.copy2(ROOT / name, folder / name)
    program = "import setuptools.build_meta as build; print(build.build_sdist('dist'))"
    made = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True)
    if "setuptools" in made.stderr and made.returncode:
        pytest.skip(f"this setuptools cannot: {made.stderr.splitlines()[-1]}")
    assert made.returncode == 0, made.stderr
    file = folder / "dist" / made.stdout.splitlines()[-1]
    with tarfile.open(file) as opened:
        inside = {name.partition("/")[2] for name in opened.getnames()}
        said = opened.extractfile(f"{file.name.removesuffix('.tar.gz')}/PKG-INFO").read().decode()
    return set(listed.splitlines()), inside, said


def test_the_archive_holds_all_that_the_repository_does(archive):
    listed, inside, _ = archive
    assert not {name for name in listed if (ROOT / name).exists()} - inside
    assert {"zoo/py.typed", "tests/recorded/torchvision.json.gz", "results/demo.csv", "tutorials/lesson.py"} <= inside


def test_the_archive_says_what_it_is(archive):
    _, _, said = archive
    headers = said.partition("\n\n")[0].splitlines()
    assert {"Name: keras-zoo", f"Version: {zoo.__version__}", "License-Expression: Apache-2.0"} <= {*headers}
    needed = [line.partition(": ")[2] for line in headers if line.startswith("Requires-Dist")]
    core = {each for each in needed if "extra ==" not in each}
    assert not any(each.startswith(("tensorflow", "jax", "torch", "importlib_resources")) for each in core)
    assert any(each.startswith("keras>=") for each in core)
    extras = {line.partition(": ")[2] for line in headers if line.startswith("Provides-Extra")}
    assert {"tensorflow", "jax", "torch", "tfds"} <= extras


def test_the_version_is_the_same_everywhere():
    assert f"\nversion: {zoo.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## [{zoo.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
