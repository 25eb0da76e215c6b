"""A process of its own that opens HDF5 files before this one does.

Some damaged files send the HDF5 library into a loop without end, or end the process that opens them; no check from
Python comes before that. So a file for which no hash vouches is opened by a helper first, with little memory and little
time. What it finds wrong is raised here; what it opens, this process can open: the same calls on the same bytes.
"""

import atexit
import contextlib
import json
import math
import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path

from zoo.errors import UsageError

TIMEOUT = 20.0  # seconds of the processor; the largest header takes less than one
PATIENCE = 15  # times as long by the clock: other programs may leave the helper little of the processor
OUT_OF_TIME = -getattr(signal, "SIGXCPU", 1000)  # how a process ends that has computed for too long
EXTRA_MEMORY = 200 * 2**20  # bytes that the helper may take beyond the file's size
_helpers: dict[int, "subprocess.Popen[bytes]"] = {}  # by the process that started it; kept for the next file
_one_file_at_a_time = threading.Lock()


def screen(path: Path) -> None:
    """Raise unless the helper can open the file."""
    with _one_file_at_a_time:
        answer = answer_of(helper(), str(path.absolute()))
    if answer is None:
        raise UsageError(
            f"{path} is damaged: it keeps the HDF5 library busy for more than {TIMEOUT:g} s; fetch it again"
        )
    if not answer:
        raise UsageError(f"{path} is damaged: it brings the HDF5 library down; fetch it again")
    if wrong := json.loads(answer):
        raise UsageError(wrong)


def helper() -> "subprocess.Popen[bytes]":
    """This process's helper, started if it is not running."""
    running = _helpers.get(os.getpid())
    if running is None or running.poll() is not None:
        program = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import serve; serve()"
        running = subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        _helpers[os.getpid()] = running
        atexit.register(running.kill)
    return running


def answer_of(process: "subprocess.Popen[bytes]", path: str) -> bytes | None:
    """The helper's line; empty if it ended, None if none came in time. Such a helper is stopped."""
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None and stdout is not None  # both are pipes
    answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    with contextlib.suppress(BrokenPipeError):
        stdin.write(f"{json.dumps([path, TIMEOUT])}\n".encode())
        stdin.flush()
    threading.Thread(target=lambda: answers.put(stdout.readline()), daemon=True).start()
    answer: bytes | None
    try:
        answer = answers.get(timeout=PATIENCE * TIMEOUT)
    except queue.Empty:
        answer = None
    if not answer:
        process.kill()
        process.wait()
    return None if process.returncode == OUT_OF_TIME else answer


def serve() -> None:
    """The helper's life: a path and seconds come in, the file is opened and forgotten, a line goes out: what is wrong,
    or none."""
    from zoo.weights import checkpoint, hdf5

    for line in sys.stdin.buffer:
        name, seconds = json.loads(line)
        path = Path(name)
        limit_memory(path)
        limit_time(seconds)
        wrong = ""
        try:
            with checkpoint.explained(path, "HDF5"), hdf5.opened(path):
                pass
        except UsageError as error:
            wrong = str(error)
        print(json.dumps(wrong), flush=True)


def limit_memory(path: Path) -> None:
    """Let this process grow by the file's size and a little, where the system can do that."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + path.stat().st_size + EXTRA_MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


def limit_time(seconds: float) -> None:
    """Let this process compute so long from now on, where the system can do that; then SIGXCPU ends it."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        limit = math.ceil(used.ru_utime + used.ru_stime + seconds)
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))
