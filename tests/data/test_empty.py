"""A split without examples is said in one line, by every data module, before anything is trained."""

import dataclasses

import numpy as np
import pytest

import zoo
from zoo import tasks
from zoo.data import open_source

FEW = 64  # examples of the other splits, which are only looked at
MODULES = {tasks.get(zoo.info(name).task).data_module: name for name in zoo.list_models()}
DEAR = ("BidirectionalCorpus", "WordVectorDataModule")  # seconds a split
DRAWN = ("BoxDataModule", "InstanceDataModule", "MaskDataModule")  # ten seconds until the images are there
SPLITS = [
    pytest.param(split, name, id=f"{split}-{module.__name__}", marks=[pytest.mark.slow] * (
        module.__name__ in DRAWN or (split != "train" and module.__name__ in DEAR)
    ))
    for split in ("train", "validation", "test") for module, name in MODULES.items()
]  # fmt: skip


@pytest.mark.parametrize(("split", "name"), SPLITS)
def test_an_empty_split_is_refused(split, name, data_dir):
    card = zoo.info(name)
    module = tasks.get(card.task).data_module
    recipe = card.recipe("demo")
    source = open_source(recipe.dataset, data_dir=data_dir).load()
    which = getattr(recipe, split)

    def without_it(read):
        return lambda text: read(text).take(0 if text == which else FEW)

    roads = {road: without_it(read) for road in ("split", "features") if (read := getattr(source, road, None))}
    without = dataclasses.replace(source, **roads)
    with pytest.raises(zoo.UsageError, match=r"(is empty; expected|holds no words?)"):
        module.adapt(card, recipe, without)
    sliced = zoo.records.replace(recipe, **{split: "train[:0]"})
    with pytest.raises(
        zoo.UsageError, match=r"^the split 'train\[:0\]' of \S+ is empty; expected at least one example"
    ):
        module.adapt(card, sliced, source)


@pytest.mark.parametrize(("suffix", "split"), [("train", "train"), ("val", "validation"), ("test", "test")])
def test_an_empty_array_of_a_file_is_refused(suffix, split, tmp_path):
    arrays = {f"{key}_{name}": np.zeros(24, "uint8") for key in "xy" for name in ("train", "val", "test")}
    np.savez(tmp_path / "mine.npz", **arrays | {f"x_{suffix}": np.zeros(0), f"y_{suffix}": np.zeros(0, int)})
    with pytest.raises(zoo.UsageError, match=f"the split '{split}' of .*mine.npz is empty; expected at least one"):
        open_source(tmp_path / "mine.npz").load()
