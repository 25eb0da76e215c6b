"""Names of version 0.1: they work for one version more, with a warning; and its runs open."""

import importlib
import inspect
import json
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import zoo
from zoo import cli, deprecated, factory, registry
from zoo.training import run_plan
from zoo.training.run_folder import upgraded

IMPORTS = """\
from zoo import embedding_figures, figures, inference, losses, tune
from zoo.attention import Attention, attention_maps, sinusoids
from zoo.blocks import BlockTrainer
from zoo.cells import FullGRUCell, GatedLSTMCell, PlainCell, SimplifiedGRUCell
from zoo.data import corpus, open_source, tiny_english
from zoo.data.corpus import Noise, Vocabulary, blocks, pairs, windows
from zoo.data.identities import identity_rows
from zoo.data.moving import DIRECTIONS, moving
from zoo.data.photographs import photographs
from zoo.decoding import Translator
from zoo.explain import grad_cam, stretch
from zoo.figures import INK, SECOND, THIRD, attention, films, gallery, new_figure, word_map, worst_mistakes
from zoo.inference import reopen, translate
from zoo.losses import Contrastive, ExplicitTriplet, NegativeSampling, Perceptron, Perceptual, Triplet, gram_matrix
from zoo.models.lenet import TABLE_I, digit_codes
from zoo.models.siamese import DIFFERENCES
from zoo.optimization import InverseSquareRoot
from zoo.sequences import PoolSequence
from zoo.tasks.metric_learning import eye_of
from zoo.tasks.retrieval import best_threshold, euclidean, neighbours, pairs, retrieval, spread, verification
from zoo.tasks.styling import in_the_colours
from zoo.tune import freeze, learning_blocks
from zoo.word_vectors import WordVectors, vectors_of
"""

ROOT = Path(__file__).parents[1]
OLD_RUN = Path(__file__).parent / "recorded" / "run_of_0_1"


@pytest.mark.parametrize("old", deprecated.MODULES)
def test_a_module_is_found_under_its_old_name(old):
    with pytest.warns(FutureWarning, match=rf"{old} is now {deprecated.MODULES[old]}"):
        sys.modules.pop(old, None)
        module = importlib.import_module(old)
    new = importlib.import_module(deprecated.MODULES[old])
    public = [name for name in dir(new) if not name.startswith("_")]
    assert public and all(getattr(module, name) is getattr(new, name) for name in public)
    assert new.__name__ == new.__spec__.name == deprecated.MODULES[old], "the new module is as it was"
    with pytest.raises(AttributeError):
        _ = module.nothing_of_the_sort


@pytest.mark.parametrize("old", deprecated.WITHIN)
def test_a_name_in_a_module_is_found_under_its_old_name(old):
    module, _, name = old.rpartition(".")
    home, _, new = deprecated.WITHIN[old].rpartition(".")
    sys.modules.pop(module, None)
    with pytest.warns(FutureWarning, match=f"{module} is now"):
        assert getattr(importlib.import_module(module), name) is getattr(importlib.import_module(home), new)


@pytest.mark.parametrize("line", IMPORTS.splitlines())
def test_the_imports_of_the_tutorials_of_0_1_work(line):
    for module in deprecated.MODULES:
        sys.modules.pop(module, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(line, {})


def test_what_stood_in_zoo_graph_is_there():
    with pytest.warns(FutureWarning):
        sys.modules.pop("zoo.graph", None)
        from zoo.graph import Cost, Stage, blocks, costs, features, list_stages
    assert all(map(callable, (Cost, Stage, blocks, costs, features, list_stages)))
    assert zoo.costs is costs and zoo.features is features


def test_an_old_name_of_the_package_is_todays_with_a_warning():
    with pytest.warns(FutureWarning, match=r"zoo\.Figure is now zoo\.Expected"):
        assert zoo.Figure is zoo.Expected


def test_importing_warns_of_nothing():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "import zoo; zoo.list_models()"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_an_old_option_of_a_builder_is_todays_with_a_warning():
    with pytest.warns(FutureWarning, match="picture_shape of style_transfer is now image_shape"):
        model = zoo.build("style_transfer", picture_shape=(16, 16, 3))
    assert model.output_shape == (None, 16, 16, 3)


def test_one_name_at_a_time():
    with pytest.raises(zoo.UsageError, match="blocks is the old name of num_layers, and both are given"):
        zoo.build("gpt", blocks=1, num_layers=3)
    with pytest.raises(zoo.UsageError, match="feed is the old name of data_options, and both are given"):
        zoo.Recipe(name="mine", dataset="", epochs=1, feed={"a": 1}, data_options={"b": 2})


def test_python_shows_the_warning_to_the_author_of_a_module(tmp_path):
    (tmp_path / "own.py").write_text("import zoo.tune\nimport zoo\nzoo.Figure\nzoo.Recipe('a', '', 1, feed={'b': 1})\n")
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = [{str(tmp_path)!r}, {str(ROOT)!r}]; import own"],
        capture_output=True, text=True,
    )  # fmt: skip
    for line, old in ((1, "zoo.tune"), (3, "zoo.Figure"), (4, "Recipe(feed=...)")):
        assert f"own.py:{line}: OldNameWarning: {old} is now " in done.stderr, done.stderr


def test_old_options_have_new_ones_somewhere():
    known = {option for name in zoo.list_models() for option in zoo.info(name).options}
    assert set(factory.RENAMED.values()) <= known


def test_an_old_field_of_a_recipe_is_todays_with_a_warning():
    with pytest.warns(FutureWarning, match="data_options"):
        recipe = zoo.Recipe(name="mine", dataset="", epochs=1, feed={"per_class": 4})
    assert recipe.data_options == {"per_class": 4}
    assert zoo.records.replace(recipe, epochs=2).data_options == {"per_class": 4}


def test_an_old_config_is_read_as_todays():
    old = {"model": "lenet5", "recipe": {"name": "demo", "feed": {"a": 1}}, "feed": {"shape": [28, 28, 1]}}
    assert upgraded(old) == {
        "model": "lenet5",
        "recipe": {"name": "demo", "data_options": {"a": 1}},
        "data": {"shape": [28, 28, 1]},
    }
    assert upgraded(upgraded(old)) == upgraded(old)


def test_a_run_that_0_1_wrote_opens():
    """A language model, whose layers, options and data module all had other names."""
    config = json.loads((OLD_RUN / "config.json").read_text())
    assert config["versions"]["zoo"] == "0.1.0" and "feed" in config
    expected = json.loads((OLD_RUN / "metrics.json").read_text())["metrics"]
    found = zoo.evaluate(OLD_RUN)
    assert {name: found[name] for name in expected} == pytest.approx(
        expected, rel=0.02
    )  # the texts are those of the installed Python
    text = "".join(zoo.generate(OLD_RUN, "the ", length=12))
    assert len(text) == 12


def test_the_arguments_of_train_and_build_can_be_seen():
    train = inspect.signature(zoo.train).parameters
    assert {"weights", "run", "data", "epochs", "batch_size", "learning_rate", "seed", "precision"} <= set(train)
    assert all(parameter.annotation is not inspect.Parameter.empty for parameter in train.values())
    assert list(inspect.signature(zoo.build).parameters) == ["name", "weights", "preprocessing", "options"]


@pytest.mark.parametrize(
    "config",
    [
        "[]",
        '"lenet5"',
        {"recipe": 3},
        {"data": 3},
        {"data": {"vocabulary": 3}},
        {"recipe": {"name": 3}},
        {"data": None},
    ],
)
def test_a_damaged_config_is_one_line(config, tmp_path):
    kept = json.loads((OLD_RUN / "config.json").read_text())
    text = config if isinstance(config, str) else json.dumps({**upgraded(kept), **config})
    (tmp_path / "model.keras").write_bytes((OLD_RUN / "model.keras").read_bytes())
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(zoo.UsageError, match=r"config\.json") as caught:
        zoo.evaluate(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.fixture
def no_own_files():
    yield
    for name in [name for name in sys.modules if name.startswith(registry.OWN_FILES)]:
        del sys.modules[name]


def test_the_command_line_says_it_in_a_line(tmp_path, capsys, no_own_files):
    file = tmp_path / "own_old.py"
    file.write_text("import zoo\nzoo.Figure\n")
    assert cli.main(["--import", str(file), "list", "lenet5"]) == 0
    assert capsys.readouterr().err == f"zoo: {file}:2: zoo.Figure is now zoo.Expected\n"
    assert cli.main(["train", "gpt", "--option", "blocks=1", "--option", "nothing=1"]) == 2
    assert capsys.readouterr().err.startswith("zoo: blocks of gpt is now num_layers\nzoo: there is no option of gpt")


def test_train_takes_what_its_plan_takes():
    """The arguments stand in both, so that `zoo.train` shows them before anything heavy is imported."""
    train, prepare = (inspect.signature(each).parameters.values() for each in (zoo.train, run_plan.prepare))
    assert [
        (each.name, each.kind, each.default) for each in train if each.name not in ("folds", "budget")
    ] == [  # many plans, or one that is chosen
        (each.name, each.kind, each.default)
        for each in prepare
        if each.name != "offer"  # of the terminal's
    ]
