"""The same weights give the same outputs on TensorFlow, JAX and PyTorch.

The records were made on one backend. `test_conformance.py` compares them with the backend that runs
the tests; here each of the others computes all names once, in a process of its own, because Keras
binds to one backend for good when it is imported.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import backend_outputs
import keras
import pytest
from long_names import is_long

import zoo

HERE = Path(__file__).parent
BACKENDS = ["tensorflow", "jax", "torch"]
NAMES = [pytest.param(name, marks=[pytest.mark.slow] * is_long(name)) for name in zoo.list_models()]


@pytest.fixture(scope="module")
def names(request):
    """Those that are asked for."""
    asked = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    return sorted({each["name"] for each in asked if {*each} == {"name", "outputs"}})


@pytest.fixture(scope="module")
def started(names):
    """The other backends that are installed, all at work at once."""
    path = os.pathsep.join([str(HERE.parent), str(HERE), os.environ.get("PYTHONPATH", "")])
    return {
        backend: subprocess.Popen(
            [sys.executable, str(HERE / "backend_outputs.py"), *names],
            env={**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for backend in BACKENDS
        if backend != keras.config.backend() and importlib.util.find_spec(backend)
    }


@pytest.fixture(scope="module", params=BACKENDS)
def outputs(request, started, names):
    """The digests of all names on one backend, by name."""
    backend = request.param
    if backend == keras.config.backend():
        pytest.skip(f"{backend} runs this process: test_conformance.py compares its outputs")
    if backend not in started:
        pytest.skip(f"{backend} is not installed")
    printed, said = started[backend].communicate()
    found = dict(json.loads(line) for line in printed.splitlines() if line.startswith("["))
    missing = sorted({*names} - {*found})
    assert not missing, f"{backend} stopped before {missing[0]}:\n{said[-2000:]}"
    return found


@pytest.mark.parametrize("name", NAMES)
def test_outputs_equal_the_recorded_ones(outputs, name):
    backend_outputs.check(name, outputs[name])


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed")
def test_training_on_two_devices_of_jax(tmp_path):
    """1,257 digits are 39 batches of 32 and 9 left over, which two devices cannot share."""
    program = """
import keras, sys
keras.distribution.set_distribution(keras.distribution.DataParallel())
import zoo
run = zoo.train("mlp", epochs=2, batch_size=32, verbose=0, run=sys.argv[1])
assert len(keras.distribution.list_devices()) == 2
assert run.metrics["accuracy"] > 0.9 and zoo.evaluate(run)["accuracy"] == run.metrics["accuracy"], run.metrics
"""
    flags = {"KERAS_BACKEND": "jax", "XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    command = [sys.executable, "-c", program, str(tmp_path / "run")]
    done = subprocess.run(command, env={**os.environ, **flags}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lenet5", "siamese"])
@pytest.mark.parametrize("backend", [each for each in BACKENDS if each != keras.config.backend()])
def test_a_training_that_was_stopped_goes_on_to_the_same_result(backend, name, tmp_path):
    """Bit for bit, as on the backend that runs the tests: `tests/training/test_resume.py`."""
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    program = """
import signal, sys
sys.path.insert(0, "benchmarks")
import zoo
from kill_and_resume import differences, shorten
from zoo.training import keeper
from zoo.training.stopping import Stopped, requests
shorten()
name, folder = sys.argv[1:]
settings = dict(epochs=2, batch_size=256, verbose=0, **({"dropout": 0.3} if name == "lenet5" else {}))
undisturbed = zoo.train(name, run=folder + "/undisturbed", **settings)
usual, steps = keeper.Keeper.on_train_batch_end, []
def stop(self, number, logs=None):
    steps.append(number)
    if len(steps) == 2:
        requests.pending = signal.SIGTERM
    usual(self, number, logs)
keeper.Keeper.on_train_batch_end = stop
try:
    zoo.train(name, run=folder + "/run", **settings)
except Stopped:
    resumed = zoo.train(resume=folder + "/run", verbose=0)
    found = differences(undisturbed.path, resumed.path)
    assert not found, found
    print(resumed.config["backend"], "equal")
"""
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(HERE.parent)}
    done = subprocess.run(
        [sys.executable, "-c", program, name, str(tmp_path)],
        cwd=HERE.parent, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.strip().endswith(f"{backend} equal"), done.stderr[-2000:]
