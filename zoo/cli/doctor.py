"""`zoo doctor`: what this machine has, and what would make it faster."""

import argparse
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from zoo import __version__
from zoo.backend import gpus_used, tensorflow_build
from zoo.cli import _terminal
from zoo.system import faster_kernels, fastest_precision, gpus_present, machine

GPU_INSTALL_COMMANDS = {  # what to install where a GPU is there but the backend does not see it
    "tensorflow": "pip install 'tensorflow[and-cuda]=={version}'",
    "jax": "pip install 'jax[cuda12]=={version}'",
    "torch": "pip install --force-reinstall torch",
}
MISSING = "not installed"

HELP = "show what this machine has: versions, devices, folders, network"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help=_terminal.JSON_HELP)


def run(arguments: argparse.Namespace) -> None:
    _terminal.start_keras(arguments.debug)
    if arguments.json:
        _terminal.print_json(dict(report()))
        return
    for label, text in report():
        print(f"{label:<14}{text}")


def report() -> Iterator[tuple[str, str]]:
    """Label and text of each finding."""
    import keras

    backend = keras.backend.backend()
    hardware = machine()
    yield "zoo", f"{__version__} in {Path(__file__).parents[1]}"
    yield "Python", f"{platform.python_version()} at {sys.executable}"
    yield "machine", f"{hardware['processor']}, {hardware['cores']} cores, {hardware['platform']}"
    yield "Keras", f"{keras.__version__}, backend {backend} (KERAS_BACKEND chooses: tensorflow, jax, torch)"
    for package in GPU_INSTALL_COMMANDS:
        found = version(package)
        build = package == "tensorflow" and found != MISSING
        yield package, found + (f", {tensorflow_build()}" if build else "")
    present, used = gpus_present(), gpus_used(backend)
    yield "GPUs there", ", ".join(present) or "none found by nvidia-smi"
    yield "GPUs used", f"{', '.join(used)} by {backend}" if used else f"none by {backend}"
    if present and not used and backend in GPU_INSTALL_COMMANDS:
        yield "to use it", GPU_INSTALL_COMMANDS[backend].format(version=version(backend))
    precision, why = fastest_precision()
    yield "precision", f"{precision} is fastest ({why}): zoo train --precision auto"
    if setting := faster_kernels():
        yield "faster", f"{setting} in the environment: TensorFlow leaves oneDNN off on this processor"
    for label, folder in folders().items():
        yield label, f"{folder}: {writable(folder)}"
    yield "network", network()


def version(package: str) -> str:
    """The installed version of a package."""
    from importlib import metadata  # it brings Python's e-mail, which the other commands do not wait for

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return MISSING


def folders() -> dict[str, Path]:
    """Where data and settings are kept."""
    from zoo.weights import fetching  # and with it what speaks to the network, likewise

    data = os.environ.get("TFDS_DATA_DIR") or Path.home() / "tensorflow_datasets"
    settings = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    return {
        "data sets": Path(data),
        "weights": fetching.cache(),
        "Keras home": Path(settings),
        "run folders": Path.cwd() / "runs",
    }


def writable(folder: Path) -> str:
    """Whether files can be made there, and how much space is left."""
    existing = next(path for path in [folder, *folder.parents] if path.exists())
    space = f"{shutil.disk_usage(existing).free / 2**30:.1f} GiB free"
    if not os.access(existing, os.W_OK | os.X_OK):
        return f"NOT writable ({existing}), {space}"
    return f"writable{'' if folder.exists() else ', not made yet'}, {space}"


def network() -> str:
    """Whether data sets can be downloaded."""
    from zoo.data.reachability import DATA_HOST, reachable

    if reachable(DATA_HOST):
        return f"{DATA_HOST} answers"
    return f"{DATA_HOST} cannot be reached: only data sets that are here, and the embedded ones (recipe demo)"
