"""A process of its own that opens HDF5 files before this one does.

Some damaged files send the HDF5 library into a loop without end, or end the process that opens them; no check from
Python comes before that. So a file for which no hash vouches is opened by a helper first, with little memory and little
time. What it finds wrong is raised here; what it opens, this process can open: the same calls on the same bytes.
"""

import atexit
import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path

from zoo.errors import UsageError

TIMEOUT = 20.0  # seconds; the largest header takes less than one
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
        stdin.write(f"{json.dumps(path)}\n".encode())
        stdin.flush()
    threading.Thread(target=lambda: answers.put(stdout.readline()), daemon=True).start()
    answer: bytes | None
    try:
        answer = answers.get(timeout=TIMEOUT)
    except queue.Empty:
        answer = None
    if not answer:
        process.kill()
        process.wait()
    return answer


def serve() -> None:
    """The helper's life: a path comes in, the file is opened and forgotten, a line goes out: what is wrong, or none."""
    from zoo.weights import checkpoint, hdf5

    for line in sys.stdin.buffer:
        path = Path(json.loads(line))
        limit_memory(path)
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
