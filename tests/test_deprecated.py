"""Names of version 0.1: they work for one version more, with a warning; and its runs open."""

import importlib
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import zoo
from zoo import deprecated, factory
from zoo.training.run_folder import upgraded

ROOT = Path(__file__).parents[1]
OLD_RUN = Path(__file__).parent / "recorded" / "run_of_0_1"


@pytest.mark.parametrize("old", deprecated.MODULES)
def test_a_module_is_found_under_its_old_name(old):
    with pytest.warns(DeprecationWarning, match=rf"{old} is now {deprecated.MODULES[old]}"):
        sys.modules.pop(old, None)
        module = importlib.import_module(old)
    assert module is importlib.import_module(deprecated.MODULES[old])


def test_what_stood_in_zoo_graph_is_there():
    with pytest.warns(DeprecationWarning):
        sys.modules.pop("zoo.graph", None)
        from zoo.graph import Cost, Stage, blocks, costs, features, list_stages
    assert all(map(callable, (Cost, Stage, blocks, costs, features, list_stages)))
    assert zoo.costs is costs and zoo.features is features


def test_an_old_name_of_the_package_is_todays_with_a_warning():
    with pytest.warns(DeprecationWarning, match=r"zoo\.Figure is now zoo\.Expected"):
        assert zoo.Figure is zoo.Expected


def test_importing_warns_of_nothing():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "import zoo; zoo.list_models()"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_an_old_option_of_a_builder_is_todays_with_a_warning():
    with pytest.warns(DeprecationWarning, match="picture_shape of style_transfer is now called image_shape"):
        model = zoo.build("style_transfer", picture_shape=(16, 16, 3))
    assert model.output_shape == (None, 16, 16, 3)


def test_old_options_have_new_ones_somewhere():
    known = {option for name in zoo.list_models() for option in zoo.info(name).options}
    assert set(factory.RENAMED.values()) <= known


def test_an_old_field_of_a_recipe_is_todays_with_a_warning():
    with pytest.warns(DeprecationWarning, match="data_options"):
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
    assert found == pytest.approx(expected, rel=0.02)  # the texts are those of the installed Python
    text = "".join(zoo.generate(OLD_RUN, "the ", length=12))
    assert len(text) == 12


def test_the_arguments_of_train_and_build_can_be_seen():
    train = inspect.signature(zoo.train).parameters
    assert {"weights", "run", "data", "epochs", "batch_size", "learning_rate", "seed", "precision"} <= set(train)
    assert all(parameter.annotation is not inspect.Parameter.empty for parameter in train.values())
    assert list(inspect.signature(zoo.build).parameters) == ["name", "weights", "preprocessing", "options"]
