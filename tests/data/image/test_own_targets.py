"""What a subclass of the data module of arrays makes of its examples."""

import numpy as np
import pytest
import tensorflow as tf

import zoo
from zoo.data import Source, open_source
from zoo.data.image.arrays import ArrayDataModule


def test_a_subclass_makes_targets_of_its_own_in_read(tmp_path):
    class ParityModule(ArrayDataModule):
        def read(self, split):
            return super().read(split).map(lambda image, label: (image, {"digit": label, "parity": label % 2}))

    card, source = zoo.info("lenet5"), open_source("digits", data_dir=tmp_path).load()
    data = ParityModule.adapt(card, card.recipe("demo"), source)
    targets = data.targets("test")
    assert len(targets["digit"]) == data.examples["test"] == 360
    np.testing.assert_array_equal(targets["parity"], targets["digit"] % 2)


def test_examples_without_a_target_are_refused():
    rows = {"image": np.zeros((4, 28, 28, 1), "uint8"), "name": np.arange(4)}
    source = Source("rows", (), lambda split: tf.data.Dataset.from_tensor_slices(rows))
    card = zoo.info("lenet5")
    with pytest.raises(zoo.UsageError, match=r"an example of rows has image, name; expected .*: name them in"):
        ArrayDataModule.adapt(card, card.recipe("demo"), source)
