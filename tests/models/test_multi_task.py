"""What is special in a network of several questions: it is its tower, with a logit for each."""

import keras
import numpy as np
import pytest
from keras import ops

import zoo
from zoo.errors import UsageError


@pytest.mark.parametrize("tower", ["lenet5", "mlp", "resnet20"])
def test_it_is_its_tower(tower):
    shape = (16, 16, 1)
    model = zoo.build("multi_task", tower=tower, input_shape=shape, num_classes=3)
    alone = zoo.build(tower, input_shape=shape, num_classes=3)
    assert [layer.name for layer in model.layers] == [layer.name for layer in alone.layers]
    alone.set_weights(model.get_weights())
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    found, expected = (ops.convert_to_numpy(each(x, training=False)) for each in (model, alone))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_the_questions_share_everything_but_their_column_of_the_last_layer():
    """Caruana's arrangement: of n questions more the network has n columns more."""
    sizes = {n: zoo.build("multi_task", tower="lenet5", num_classes=n).count_params() for n in (1, 5)}
    assert sizes[5] - sizes[1] == 4 * (84 + 1)


def test_a_tower_with_auxiliary_heads_gives_its_main_one():
    model = zoo.build(
        "multi_task", tower="inception_v1", tower_options={"width": 0.125}, input_shape=(32, 32, 3), num_classes=2
    )
    assert model.output_shape == (None, 2) and not [each.name for each in model.layers if "aux" in each.name]


def test_other_numbers_of_attributes_and_features():
    model = zoo.build("multi_task", tower="resnet20", num_classes=1)
    assert model.output_shape == (None, 1)
    assert isinstance(zoo.features(model), keras.Model)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (dict(tower="lenet"), "there is no tower 'lenet'; did you mean lenet5"),
        (dict(tower="multi_task"), "there is no tower 'multi_task'"),
        (dict(tower="lenet5_1998"), "lenet5_1998 cannot be a tower"),
        (dict(tower_options={"num_classes": 5}), "tower_options has num_classes; expected options that the network"),
        (dict(tower_options={"depth": 5}), "there is no option of lenet5 'depth'"),
        (dict(num_classes=0), "num_classes is 0"),  # which `zoo.build` takes for a network without its head
    ],
)
def test_wrong_requests(options, says):
    with pytest.raises(UsageError, match=says):
        zoo.builder("multi_task")(**options)
