"""The helper that opens files first: how long it may take, of the processor and by the clock."""

import subprocess
import sys

import pytest

from zoo.weights import hdf5_sandbox

pytest.importorskip("resource")  # which Windows has not
COMPUTES = """
import json, sys
from zoo.weights.hdf5_sandbox import limit_time
limit_time(json.loads(sys.stdin.readline())[1])
while True:
    pass
"""
WAITS = """
import sys, time
sys.stdin.readline()
time.sleep(1)
print('""', flush=True)
"""


@pytest.mark.parametrize(("program", "found"), [(COMPUTES, None), (WAITS, b'""\n')], ids=["computes", "waits"])
def test_only_the_time_of_the_processor_counts(program, found, monkeypatch):
    """A busy machine, on which the helper waits for its turn, does not make a file a damaged one."""
    monkeypatch.setattr(hdf5_sandbox, "TIMEOUT", 0.2)
    monkeypatch.setattr(hdf5_sandbox, "PATIENCE", 500)
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        assert hdf5_sandbox.answer_of(process, "net.h5") == found
        assert found or process.returncode == hdf5_sandbox.OUT_OF_TIME
