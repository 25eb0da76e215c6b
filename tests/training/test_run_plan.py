"""A recipe held against its data and its schedule, before the network is built."""

import pytest

import zoo
from zoo import registry
from zoo.errors import UsageError
from zoo.records import replace
from zoo.training import run_plan
from zoo.training.command import command_line


@pytest.fixture
def recipe_with(monkeypatch):
    """Train softmax_regression by its demo, with some fields of the recipe or of the card changed."""

    def train(run, of_card, **changes):
        card = zoo.info("softmax_regression")
        recipe = replace(card.recipe("demo"), **changes)
        monkeypatch.setitem(registry.cards(), card.name, replace(card, recipes=(recipe,), **of_card))
        return zoo.train(card.name, run=run, epochs=1, verbose=0)

    return train


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"schedule": "cosin"}, "no schedule (recipe demo of softmax_regression) 'cosin'; did you mean cosine?"),
        (
            {"schedule_options": {"warmup": 1}},
            "there is no option of the schedule cosine (recipe demo of softmax_regression) 'warmup'; did you mean w",
        ),
        (
            {"data_options": {"per_class": 4}},
            "there is no option of this data (recipe demo of softmax_regression) 'per_class'; there are none",
        ),
        (
            {"preprocess": {"resize": "big"}},
            "recipe demo of softmax_regression: preprocess resize is 'big'; expected 2 whole numbers of at least 1",
        ),
        ({"preprocess": {"pad": (8, 0)}}, "preprocess pad is (8, 0); expected 2 whole numbers of at least 1"),
        ({"preprocess": {"frames": [3]}}, "preprocess frames is [3]; expected a whole number of at least 1"),
        ({"train": "trian"}, "digits:1.0.0 has no split 'trian': Unknown split"),
        ({"test": "test[:x%]"}, "digits:1.0.0 has no split 'test[:x%]': Error pars"),
        ({"of_card": {"task": "classification"}}, "there is no task 'classification'; did you mean"),
        (
            {"of_card": {"preprocessing": "standardize"}},
            "there is no preprocessing for softmax_regression 'standardize'; did you mean standardise?",
        ),
    ],
)
def test_what_cannot_be_is_one_line_and_leaves_no_folder(changes, told, recipe_with, tmp_path):
    with pytest.raises(zoo.UsageError) as caught:
        recipe_with(tmp_path / "run", **{"of_card": {}, **changes})
    assert told in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_weight_decay_of_one_run_is_the_optimizers_and_is_repeated(tmp_path):
    plan = run_plan.prepare("mlp", weight_decay=0.01, run=tmp_path / "run")
    assert plan.recipe.optimizer_options == {"weight_decay": 0.01} and not plan.unchanged
    assert "--weight-decay 0.01" in command_line(plan, {})
    assert "--weight-decay" not in command_line(run_plan.prepare("mlp", run=tmp_path / "other"), {})
    with pytest.raises(UsageError, match="weight_decay is -1; expected a number from 0 to 1"):
        run_plan.prepare("mlp", weight_decay=-1, run=tmp_path / "third")
