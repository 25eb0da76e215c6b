"""Saved and pickled networks open in another process, where nothing but `zoo` was imported."""

import ast
import multiprocessing
import pickle
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import zoo
from zoo import saving

ROOT = Path(__file__).parents[1]
NAMES = ("gpt", "lenet5_1998", "style_transfer", "siamese_pairs")  # functions, initializers, constraints, layers

OPEN = """
import sys
import zoo
assert "keras" not in sys.modules
import zoo.models.lenet  # Keras is imported in the middle of this
import keras
import numpy as np
for file in sys.argv[1:]:
    model = keras.saving.load_model(file)
    assert not any("Later" in type(layer).__name__ for layer in model.layers)
    keras.models.clone_model(model)
    print(model.name, sum(float(np.abs(weight).sum()) for weight in model.get_weights()))
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    models = [zoo.build(name, **zoo.info(name).tiny) for name in NAMES]
    from zoo.losses import MaskedCrossentropy  # here, so that a worker does not import it with this file

    models[0].compile(keras.optimizers.Adam(), MaskedCrossentropy())
    for model in models:
        model.save(folder / f"{model.name}.keras")
    return {str(folder / f"{model.name}.keras"): model for model in models}


def test_a_network_opens_where_only_the_zoo_was_imported(files):
    done = subprocess.run([sys.executable, "-c", OPEN, *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    sums = [float(line.split()[1]) for line in done.stdout.splitlines()]
    expected = [sum(float(np.abs(weight).sum()) for weight in model.get_weights()) for model in files.values()]
    np.testing.assert_allclose(sums, expected, rtol=1e-6)


def layer_types(pickled):
    """Runs in a process of its own."""
    return [type(layer).__name__ for layer in pickle.loads(pickled).layers]


@pytest.mark.slow
def test_a_pickled_network_opens_in_a_spawned_worker(files):
    model = next(iter(files.values()))
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(layer_types, (pickle.dumps(model),)) == [type(layer).__name__ for layer in model.layers]


def test_every_registered_name_is_in_the_tables():
    registered: dict[str, set[str]] = {}
    for file in sorted((ROOT / "zoo").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            for decorator in getattr(node, "decorator_list", ()):
                if "register_keras_serializable" in ast.dump(decorator):
                    assert ast.literal_eval(decorator.args[0]) == saving.PACKAGE
                    module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
                    registered.setdefault(f"{type(node).__name__} {module}", set()).add(node.name)
    tables = {"ClassDef": saving.CLASSES, "FunctionDef": saving.FUNCTIONS}
    told = {f"{kind} {module}": set(names.split()) for kind, table in tables.items() for module, names in table.items()}
    assert told == registered
