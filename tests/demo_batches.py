"""What the data modules of the zoo's demos make of their data, for `tests/data/test_without_tensorflow.py`."""

import keras
import numpy as np

import zoo
from zoo import tasks
from zoo.data import open_source


def one_of_each_kind():
    """Names of networks whose demos differ in data, or in what is made of them."""
    kinds = {}
    for name in zoo.list_models():
        card = zoo.info(name)
        recipe = card.recipe("demo")
        module = tasks.get(card.task).data_module
        kind = module, recipe.dataset, *recipe.preprocess, *recipe.augment, len(card.inputs), card.inputs[0].shape[1:]
        kinds.setdefault(kind, name)
    return list(kinds.values())


def arrays_of(name, data_dir=None):
    """Of its demo: the first batch of the test set as arrays, and the form of a batch for training.

    Batches of identities are drawn: of those the first images stand for them.
    """
    card = zoo.info(name)
    recipe = card.recipe("demo")
    module = tasks.get(card.task).data_module
    data = module.adapt(card, recipe, open_source(recipe.dataset, data_dir=data_dir).load())
    if module.__name__ == "IdentityDataModule":
        batch = tuple(part[:50] for part in data.arrays("test"))
    else:
        batch = next(iter(data.batches("test").as_numpy_iterator()))
    training = next(iter(data.batches("train", training=True).as_numpy_iterator()))
    forms = [(each.dtype.name, *each.shape) for each in map(np.asarray, keras.tree.flatten(training))]
    return [np.asarray(each) for each in keras.tree.flatten(batch)], forms
