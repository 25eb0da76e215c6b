"""A user's own networks and tasks: in a file that is imported, or in an installed package; found again by every command
and by another process."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import zoo
from zoo import cli, registry, tasks

ROOT = Path(__file__).parents[1]
MY_LM = '''
"""A language model of a user's own: the next character from the last one alone."""

import keras
import zoo

CHARACTERS = {"tokens": "characters", "vocabulary": 60, "length": 10}
DEMO = zoo.Recipe(name="demo", dataset="", preprocess=CHARACTERS, epochs=1)


@keras.saving.register_keras_serializable("mine")
class Twice(keras.layers.Layer):
    def call(self, x):
        return 2 * x


@zoo.register(
    zoo.Card(
        task="language_modelling",
        summary="one character after another",
        params=0,
        paper="none",
        inputs=(zoo.Input("tokens", (10,), "int32", "characters"),),
        preprocessing="none",
        recipes=(DEMO,),
        tiny={},
    )
)
def my_lm(*, input_shape=(10,), vocabulary_size=60, units=8, name="my_lm"):
    tokens = keras.Input(input_shape, dtype="int32", name="tokens")
    x = Twice()(keras.layers.Embedding(vocabulary_size, units)(tokens))
    return keras.Model(tokens, keras.layers.Dense(vocabulary_size, dtype="float32")(x), name=name)
'''
MY_TASK = """
import keras
import zoo
from zoo.tasks.image_classification import ImageClassification


class Upside(ImageClassification):
    name = "upside_down"

    def targets(self, x, y, heads):
        return 9 - y

    def scores(self, targets, logits):
        return super().scores(9 - targets, logits)


CARD = zoo.Card(
    task="upside_down", summary="digits from 9 to 0", params=650, paper="none", preprocessing="standardise", tiny={},
    inputs=(zoo.Input("image", (8, 8, 1)),),
    recipes=(zoo.Recipe(name="demo", dataset="digits:1.0.0", epochs=15, learning_rate=0.02),),
)


@zoo.register(CARD)
def my_digits(*, input_shape=(8, 8, 1), num_classes=10, name="my_digits"):
    image = keras.Input(input_shape, name="image")
    return keras.Model(image, keras.layers.Dense(num_classes)(keras.layers.Flatten()(image)), name=name)
"""

MY_DATA = """
import keras
import numpy as np
import tensorflow_datasets as tfds
import zoo
from zoo.data.builtin.tables import Embedded


class Stripes(Embedded):
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(6, 6, 1), dtype=np.uint8),
            "label": tfds.features.ClassLabel(names=("horizontal", "vertical")),
        }
        return self.dataset_info_from_configs(
            description="Stripes.", features=tfds.features.FeaturesDict(features), supervised_keys=("image", "label")
        )

    def examples(self):
        labels = np.arange(80) % 2
        rows = np.random.default_rng(0).integers(0, 255, (80, 6, 1)).repeat(6, axis=2)
        return np.where(labels[:, None, None], rows.transpose(0, 2, 1), rows).astype("uint8")[..., None], labels


@zoo.register(zoo.Card(
    task="image_classification", summary="my stripes", params=74, paper="none", preprocessing="standardise", tiny={},
    inputs=(zoo.Input("image", (6, 6, 1)),), recipes=(zoo.Recipe(name="demo", dataset="stripes:1.0.0", epochs=1),),
))
def my_stripes(*, input_shape=(6, 6, 1), num_classes=2, name="my_stripes"):
    image = keras.Input(input_shape, name="image")
    return keras.Model(image, keras.layers.Dense(num_classes)(keras.layers.Flatten()(image)), name=name)
"""


@pytest.fixture(autouse=True)
def forgotten():
    """What a test enters is forgotten afterwards."""
    before = [dict(each) for each in (registry.cards(), registry.broken(), registry._builders)]
    yield
    for now, then in zip((registry._cards, registry._broken, registry._builders), before):
        now.clear()
        now.update(then)
    for name in set(tasks.classes) - tasks.files():
        del tasks.classes[name]
    for name in [name for name in sys.modules if name.startswith(registry.OWN_FILES)]:
        del sys.modules[name]


@pytest.fixture
def texts(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("one two three four five six seven eight nine ten. " * 40)
    return folder


@pytest.fixture
def trained(tmp_path, texts):
    """The run of a user's language model, trained on the command line; this process has forgotten the name."""
    (tmp_path / "code").mkdir()
    file = tmp_path / "code" / "my_lm.py"
    file.write_text(MY_LM)
    words = ["train", "my_lm", "--data", str(texts), "--run", str(tmp_path / "run"), "--option", "units=4"]
    assert cli.main(["--import", str(file), *words]) == 0
    forget("my_lm")
    return tmp_path / "run"


def forget(name):
    module = registry._cards[name].module
    for table in (registry._cards, registry._builders):
        table.pop(name, None)
    sys.modules.pop(module, None)


def another_process(*words):
    program = "import sys; from zoo.cli import main; sys.exit(main())"
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}
    )


def test_a_file_is_imported_for_any_command(tmp_path, capsys):
    (tmp_path / "my_lm.py").write_text(MY_LM)
    assert cli.main(["--import", str(tmp_path / "my_lm.py"), "list", "my*"]) == 0
    assert capsys.readouterr().out.split()[0] == "my_lm"
    assert cli.main(["info", "my_lm"]) == 0, "it stays known in this process"
    assert (zoo.info("my_lm").family, zoo.build("my_lm", units=2).count_params()) == ("my_lm", 60 * 2 + 2 * 60 + 60)


@pytest.mark.slow
def test_the_backend_of_a_file_is_quiet(tmp_path):
    (tmp_path / "my_lm.py").write_text(MY_LM + "\nimport os\nos.write(2, b'a line of the backend')")
    done = another_process("--import", str(tmp_path / "my_lm.py"), "list", "my*")
    assert (done.returncode, done.stderr) == (0, "")
    (tmp_path / "my_lm.py").write_text(MY_LM + "\nraise ValueError('no such luck')")
    done = another_process("--import", str(tmp_path / "my_lm.py"), "list", "my*")
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "no such luck" in done.stderr


@pytest.mark.slow
def test_another_process_writes_text_with_a_users_language_model(trained):
    done = another_process("generate", str(trained), "--prompt", "one", "--length", "5")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("one") and len(done.stdout.rstrip("\n")) == 8


def test_the_commands_find_it_again(trained, capsys):
    config = json.loads((trained / "config.json").read_text())
    assert config["imports"][0]["file"].endswith("code/my_lm.py") and len(config["imports"][0]["sha256"]) == 64
    assert config["command"].startswith(f"zoo --import {config['imports'][0]['file']} train my_lm ")
    capsys.readouterr()
    assert cli.main(["evaluate", str(trained)]) == 0
    assert "test loss" in capsys.readouterr().out
    forget("my_lm")
    assert zoo.evaluate(trained)["perplexity"] == pytest.approx(json.loads(
        (trained / "metrics.json").read_text())["metrics"]["perplexity"], rel=1e-5)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda file, run: file.write_text(MY_LM + "\n# changed"), "has changed since"),
        (lambda file, run: file.unlink(), "is not there"),
        (lambda file, run: shutil.move(file, run / "my_lm.py"), "is not there"),
    ],
)
def test_a_file_that_is_not_as_it_was_is_not_run_by_itself(trained, change, told, capsys):
    file = trained.parent / "code" / "my_lm.py"
    change(file, trained)
    assert cli.main(["evaluate", str(trained)]) == 2
    error = capsys.readouterr().err
    assert told in error and "zoo --import FILE.py" in error and error.count("\n") == 1
    file.write_text(MY_LM)
    assert cli.main(["--import", str(file), "evaluate", str(trained)]) == 0, "the user may still name it"


def test_code_inside_a_run_folder_is_not_run_by_itself(trained):
    config = json.loads((trained / "config.json").read_text())
    shutil.copy(config["imports"][0]["file"], trained / "my_lm.py")
    config["imports"][0]["file"] = str(trained / "my_lm.py")
    (trained / "config.json").write_text(json.dumps(config))
    with pytest.raises(zoo.UsageError, match="lies in the run folder, and is not trusted by itself"):
        zoo.evaluate(trained)


def test_a_task_of_ones_own(tmp_path):
    (tmp_path / "mine.py").write_text(MY_TASK)
    registry.import_file(tmp_path / "mine.py")
    assert "upside_down" in tasks.names()
    run = zoo.train("my_digits", run=tmp_path / "run", verbose=0)
    assert run.metrics["accuracy"] > 0.8 > run.results["baselines"]["chance"]
    again = zoo.evaluate(run.path)
    assert again == pytest.approx(run.metrics, abs=1e-6)
    assert zoo.list_models(task="upside_down") == ["my_digits"]


@pytest.mark.slow
def test_a_data_set_of_ones_own(tmp_path):
    (tmp_path / "mine.py").write_text(MY_DATA)
    where = ["--data-dir", str(tmp_path / "data"), "--run", str(tmp_path / "run")]
    done = another_process("--import", str(tmp_path / "mine.py"), "train", "my_stripes", *where)
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "run" / "config.json").read_text())["imports"][0]["file"].endswith("mine.py")


def test_two_files_of_one_stem(tmp_path):
    files = [tmp_path / folder / "nets.py" for folder in "ab"]
    for file, name in zip(files, ("first_lm", "second_lm")):
        file.parent.mkdir()
        file.write_text(MY_LM.replace("my_lm", name).replace("Twice", name.title().replace("_", "")))
        registry.import_file(file)
    assert {zoo.info(name).family for name in ("first_lm", "second_lm")} == {"nets"}
    assert [registry.module_of(name).__file__ for name in ("first_lm", "second_lm")] == [*map(str, files)]
    assert registry.imported_files() == files
    (tmp_path / "a" / "again.py").write_text(files[0].read_text())
    with pytest.raises(zoo.UsageError, match=r"'first_lm' is taken by .*a/nets\.py: call the function otherwise"):
        registry.import_file(tmp_path / "a" / "again.py")


def test_an_unknown_task_is_one_line_before_the_run_folder_exists(tmp_path):
    (tmp_path / "mine.py").write_text(MY_TASK.replace('task="upside_down"', 'task="image_clasification"'))
    registry.import_file(tmp_path / "mine.py")
    with pytest.raises(zoo.UsageError, match=r"no task 'image_clasification'; did you mean image_classification"):
        zoo.train("my_digits", run=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_list_and_info_say_that_there_is_no_such_task(tmp_path, capsys):
    (tmp_path / "mine.py").write_text(MY_TASK.replace('task="upside_down"', 'task="image_clasification"'))
    told = "there is no task (of my_digits) 'image_clasification'; did you mean image_classification"
    assert cli.main(["--import", str(tmp_path / "mine.py"), "list", "my*"]) == 0
    assert capsys.readouterr().err.startswith(f"zoo: cannot be trained: {told}")
    assert cli.main(["info", "my_digits"]) == 2
    assert capsys.readouterr().err.startswith(f"zoo: {told}")
    assert cli.main(["list", "--task", "image_clasification"]) == 2
    assert "there is no task 'image_clasification'; did you mean image_classification" in capsys.readouterr().err
    assert cli.main(["list", "my*", "--task", "upside_down"]) == 2, "a task without networks"


def test_an_unknown_preprocessing_is_one_line_and_leaves_no_folder(tmp_path):
    (tmp_path / "mine.py").write_text(MY_TASK.replace('preprocessing="standardise"', 'preprocessing="standardize"'))
    registry.import_file(tmp_path / "mine.py")
    with pytest.raises(zoo.UsageError, match=r"no preprocessing for my_digits 'standardize'; did you mean standardise"):
        zoo.train("my_digits", run=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_task_cannot_take_the_name_of_one_of_the_zoo(tmp_path):
    (tmp_path / "mine.py").write_text(MY_TASK.replace('name = "upside_down"', 'name = "forecasting"'))
    with pytest.raises(zoo.UsageError, match=r"mine\.py cannot be imported: the task 'forecasting' is the zoo's own"):
        registry.import_file(tmp_path / "mine.py")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "there is no file"),
        ("def broken(:\n", "cannot be imported: SyntaxError"),
        ("import nothing_of_this_name\n", "cannot be imported: ModuleNotFoundError: No module named 'nothing_of_"),
    ],
)
def test_a_file_that_cannot_be_imported_is_one_line(text, told, tmp_path, capsys):
    if text is not None:
        (tmp_path / "mine.py").write_text(text)
    assert cli.main(["--import", str(tmp_path / "mine.py"), "list"]) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1


def test_a_package_enters_its_names_by_an_entry_point(tmp_path, monkeypatch):
    """The cards are read without importing the package, and with it Keras; a broken one is told, and harms no other."""
    (tmp_path / "their_nets.py").write_text(MY_LM.replace("my_lm", "their_lm"))
    info = tmp_path / "their_nets-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-nets\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[zoo.models]\ntheirs = their_nets\ngone = gone_nets\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry._cards.clear()
    registry._broken.clear()
    assert "their_lm" in zoo.list_models() and "lenet5" in zoo.list_models()
    assert cli.main(["info", "their_lm"]) == cli.main(["list", "their*", "--task", "language_modelling"]) == 0
    assert "their_nets" not in sys.modules
    assert "names gone_nets, which is no module" in str(registry.broken()["gone"])
    assert zoo.build("their_lm", units=2).count_params() == 300
    assert zoo.info("their_lm").module == "their_nets"
    assert registry.own_code("their_lm") == [], "a package is found again by its entry point"


def test_names_of_a_script_are_noted_with_their_file(tmp_path, monkeypatch):
    """A user's module that was imported the ordinary way is found again by its file."""
    (tmp_path / "my_module.py").write_text(MY_TASK)
    monkeypatch.syspath_prepend(str(tmp_path))
    __import__("my_module")
    try:
        run = zoo.train("my_digits", run=tmp_path / "run", epochs=1, verbose=0)
        assert [entry["file"] for entry in run.config["imports"]] == [str(tmp_path / "my_module.py")]
        assert np.isfinite(zoo.evaluate(run)["loss"])
    finally:
        del sys.modules["my_module"]
