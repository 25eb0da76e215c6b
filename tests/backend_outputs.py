"""What every network of the zoo computes from fixed weights and inputs, on the backend of this process.

    pytest tests/test_conformance.py --record    writes tests/recorded/<family>.json for names that have no record

A new name fails the tests until its outputs are recorded. A record is written once: if a change to a
network is meant to change its outputs, delete its entry (or the file) and record again, so that the
change shows in the diff. `test_conformance.py` compares on the backend that runs the tests;
`test_backends.py` runs this file as a program, with names as arguments, on the others.
"""

import json
import sys
from pathlib import Path

import numpy as np

import zoo

RECORDED = Path(__file__).parent / "recorded"
TOLERANCE = 1e-4  # relative to the size of the output; float32 sums in another order differ by less


def tiny(name):
    """The network of a name in its `tiny` configuration, its variables without values."""
    import keras

    with keras.StatelessScope(initialize_variables=False):  # no starting values: JAX compiles one program for each
        return zoo.build(name, **zoo.info(name).tiny)


def outputs(model):
    """The outputs of a network: a list of arrays, (2, ...) each."""
    import keras
    from samples import arrays, inputs, weights

    values = list(weights(model))

    def forward(x):
        with keras.StatelessScope(state_mapping=values, initialize_variables=False):
            return model(x, training=False)

    if keras.config.backend() == "jax":  # which otherwise compiles every layer by itself
        import jax

        forward = jax.jit(forward)
    found = keras.tree.flatten(arrays(forward(inputs(model, batch=2))))
    keras.utils.clear_session(free_memory=False)  # forget that those variables wait for values
    return found


def digest(output):
    """A few numbers that an output cannot change without changing: its shape, its size, six values spread over it."""
    flat = np.asarray(output, "float64").ravel()
    values = flat[np.unique(np.linspace(0, flat.size - 1, 6).astype(int))]
    return {
        "shape": list(output.shape),
        "rms": float(f"{np.sqrt(np.mean(flat**2)):.6g}"),
        "values": [float(f"{value:.6g}") for value in values],
    }


def digests(name):
    """What is recorded of a name: a digest for each output."""
    return [digest(output) for output in outputs(tiny(name))]


def recorded(name):
    """The recorded digests of a name, or None."""
    path = RECORDED / f"{zoo.info(name).family}.json"
    return json.loads(path.read_text()).get(name) if path.exists() else None


def check(name, found):
    """Raise AssertionError where digests differ from the recorded ones."""
    expected = recorded(name)
    assert expected is not None, f"{name} has no recorded output: run `pytest tests/test_conformance.py --record`"
    assert [d["shape"] for d in found] == [d["shape"] for d in expected]
    for now, then in zip(found, expected):
        np.testing.assert_allclose(now["rms"], then["rms"], rtol=TOLERANCE)
        np.testing.assert_allclose(now["values"], then["values"], rtol=TOLERANCE, atol=TOLERANCE * then["rms"])


def record(name):
    """Write down the outputs of a name that has no record yet."""
    path = RECORDED / f"{zoo.info(name).family}.json"
    entries = json.loads(path.read_text()) if path.exists() else {}
    entries.setdefault(name, digests(name))
    lines = [f"  {json.dumps(key)}: {json.dumps(entries[key])}" for key in sorted(entries)]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def record_work(name, work):
    """Write down the multiply-adds of a name, by which `zoo list` sorts."""
    path = Path(zoo.__file__).parent / "models" / "multiply_adds.json"
    entries = {**json.loads(path.read_text()), name: work}
    path.write_text(json.dumps(dict(sorted(entries.items())), indent=1) + "\n")


if __name__ == "__main__":
    from samples import structure

    computed: dict[str, list] = {}  # siblings that differ at full size only are the same network here, and run once
    for wanted in sys.argv[1:]:
        network = tiny(wanted)
        key = structure(network)
        if key not in computed:
            computed[key] = [digest(output) for output in outputs(network)]
        print(json.dumps([wanted, computed[key]]), flush=True)
