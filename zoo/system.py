"""What the machine has, and what of it is used."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.backend import gpus_used

# Environment variables on which the order of sums depends, and so the last digits of a result, as on the cores.
THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "TF_ENABLE_ONEDNN_OPTS")


def computed_on() -> str:
    """The backend and what it computes on, in a few words: ``"tensorflow on 2 cores"``."""
    import keras

    found, backend = machine(), keras.config.backend()
    cores = f"{found['cores']} core{'s' * (found['cores'] != 1)}"
    return f"{backend} on {', '.join(found['gpus']) or cores}"


def machine() -> dict[str, Any]:
    """The hardware that Keras computes on, in words."""
    import keras

    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [
            line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")
        ]
        processor = names[0] if names else processor
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gpus = gpus_present() if gpus_used(keras.config.backend()) else []
    threads = {name: os.environ[name] for name in THREADS if name in os.environ}
    return {"platform": sys.platform, "processor": processor, "cores": cores, "threads": threads, "gpus": gpus}


def hardware(machine: Mapping[str, Any]) -> str:
    """A machine, as tables name it.

    >>> hardware({"processor": "AMD EPYC", "cores": 1})
    'AMD EPYC, 1 core'
    >>> hardware({"processor": "AMD EPYC", "cores": 16, "gpus": ["NVIDIA H200"]})
    'AMD EPYC, 16 cores and NVIDIA H200'
    """
    processor = f"{machine['processor']}, {machine['cores']} core{'s' * (machine['cores'] != 1)}"
    return " and ".join([processor, *machine.get("gpus", [])])


def gpus_present() -> list[str]:
    """The names of the machine's NVIDIA GPUs, whether or not anything can use them."""
    if shutil.which("nvidia-smi") is None:
        return []
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return answer.stdout.split("\n")[:-1] if answer.returncode == 0 else []


def available_memory() -> int | None:
    """Bytes of memory that are free, where the system tells."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return None
