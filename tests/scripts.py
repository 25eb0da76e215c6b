"""Running a tutorial as its reader does, but without a network."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted((ROOT / "tutorials").glob("[0-9][0-9]_*.py"))
# A machine without a network, as far as Python is concerned: sitecustomize is imported at every start.
NO_NETWORK = """
import socket

def refuse(*_, **__):
    raise OSError("a tutorial asked for the network")

socket.socket.connect = socket.socket.connect_ex = socket.create_connection = refuse
"""


def run(script, out, *arguments):
    """The finished process and what it left in NN.json."""
    blocker = out.parent / "blocker"
    blocker.mkdir(exist_ok=True)
    (blocker / "sitecustomize.py").write_text(NO_NETWORK)
    path = os.pathsep.join([str(blocker), str(ROOT), str(ROOT / "tutorials"), os.environ.get("PYTHONPATH", "")])
    finished = subprocess.run(
        [sys.executable, str(script), "--out", str(out), *arguments],
        cwd=out.parent,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    record = out / f"{script.name.partition('_')[0]}.json"
    return finished, json.loads(record.read_text()) if record.is_file() else None


def prose(script):
    """The text of each markdown cell, without the comment signs."""
    cells = ("\n" + script.read_text(encoding="utf-8")).split("\n# %%")
    marked = [cell.partition("\n")[2] for cell in cells if cell.startswith(" [markdown]")]
    return ["\n".join(line.removeprefix("#").removeprefix(" ") for line in cell.splitlines()) for cell in marked]
