"""What the machine has, and what of it is used."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.backend import BACKENDS, gpus_used, wanted

ONE_DNN = "TF_ENABLE_ONEDNN_OPTS"
ONE_DNN_BY_ITSELF = {"avx512_vnni", "avx512_bf16", "avx_vnni", "amx_tile", "amx_int8", "amx_bf16"}  # any of them
BFLOAT16 = frozenset(("avx512_bf16", "amx_bf16", "bf16"))  # x86 by vectors and by tiles, Arm
# Environment variables on which the order of sums depends, and so the last digits of a result, as on the cores.
THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", ONE_DNN)


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
    return asked_of_gpus("name")


def asked_of_gpus(what: str) -> list[str]:
    """What nvidia-smi says of each GPU."""
    if shutil.which("nvidia-smi") is None:
        return []
    command = ["nvidia-smi", f"--query-gpu={what}", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return answer.stdout.split("\n")[:-1] if answer.returncode == 0 else []


def fastest_precision() -> tuple[str, str]:
    """The Keras dtype policy that trains fastest on this machine, and why: bfloat16 where its multipliers take it."""
    backend = wanted()
    if gpus_used(backend):
        capability = max(asked_of_gpus("compute_cap"), key=float, default="0")
        if float(capability) >= 8:  # Ampere, and what came after it
            return "mixed_bfloat16", f"a GPU of compute capability {capability} multiplies in bfloat16"
        return "float32", f"a GPU of compute capability {capability} does not multiply in bfloat16"
    found = BFLOAT16.intersection(processor_flags())
    if found and backend == BACKENDS[0]:  # whose library for processors uses them; of the others none was measured
        return "mixed_bfloat16", f"the processor multiplies in bfloat16 ({', '.join(sorted(found))})"
    why = f"{backend} on a processor was not measured" if found else "the processor does not multiply in bfloat16"
    return "float32", why


def faster_kernels() -> str:
    """What to set where TensorFlow leaves oneDNN's kernels off: on processors without instructions for networks.

    What they are worth there is measured by ``benchmarks/flags.py``. "" elsewhere.
    """
    flags = processor_flags()
    left_off = "avx2" in flags and not ONE_DNN_BY_ITSELF & flags
    if wanted() != BACKENDS[0] or gpus_used(wanted()) or not left_off or os.environ.get(ONE_DNN):
        return ""
    return f"{ONE_DNN}=1"


def processor_flags() -> set[str]:
    """What the processor can do, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return {flag for line in lines if line.startswith(("flags", "Features")) for flag in line.split(":")[1].split()}


def available_memory() -> int | None:
    """Bytes of memory that are free, where the system tells."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return None
