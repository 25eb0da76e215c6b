"""What is special in RotNet: the tower is the classifier itself, with four classes."""

import keras
import numpy as np
import pytest

import zoo
from zoo.errors import UsageError


def test_the_tower_is_the_classifier_with_four_classes():
    model = zoo.build("rotnet", tower="lenet5", tower_options={"activation": "tanh"})
    tower = zoo.build("lenet5", activation="tanh", num_classes=4)
    tower.set_weights(model.get_weights())
    x = np.random.default_rng(0).normal(size=(3, 28, 28, 1)).astype("float32")
    np.testing.assert_array_equal(*(keras.ops.convert_to_numpy(each(x)) for each in (model, tower)))


@pytest.mark.parametrize("name", ["mlp", "plain20", "vgg16_small"])
def test_classifiers_of_the_zoo_are_towers(name):
    assert zoo.build("rotnet", tower=name, input_shape=(32, 32, 1)).output_shape == (None, 4)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (dict(tower="lenet"), "there is no tower 'lenet'; did you mean"),
        (dict(tower="rotnet"), "there is no tower 'rotnet'"),
        (dict(tower="lenet5_1998"), "lenet5_1998 cannot be a tower"),
        (dict(tower_options={"num_classes": 5}), "tower_options has num_classes"),
        (dict(tower_options={"depth": 5}), "there is no option of resnet20 'depth'"),
    ],
)
def test_wrong_requests(options, says):
    with pytest.raises(UsageError, match=says):
        zoo.build("rotnet", **options)
