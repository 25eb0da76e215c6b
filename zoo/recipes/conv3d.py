"""Recipes of the networks for clips, and of the convolution along a series (`zoo/models/conv3d.py`)."""

from typing import Any

from zoo.recipes import DAILY_VIEWS, SERIES
from zoo.records import Expected, Recipe, replace

DEMO = Recipe(
    name="demo",
    dataset="moving_digits:1.0.0",
    preprocess={"frames": 8, "resize": (16, 16)},  # as they are; a folder of anybody's clips is brought to this size
    epochs=10,
    batch_size=64,
    learning_rate=3e-3,
    schedule="cosine",
)
MOVING_MNIST = replace(
    DEMO,
    name="moving_mnist",
    dataset="moving_pictures/mnist:1.0.0",
    train="train[:20%]",
    preprocess={"frames": 8},
    epochs=6,
)
MOVING_FASHION_MNIST = replace(MOVING_MNIST, name="moving_fashion_mnist", dataset="moving_pictures/fashion_mnist:1.0.0")
# The official split: a random one puts clips of one recording on both sides. The validation clips do share recordings
# with the training set; they show when to stop worrying, and decide nothing.
UCF101 = Recipe(
    name="ucf101",
    dataset="ucf101/ucf101_1_256:2.0.0",
    train="train[:90%]",
    validation="train[90%:]",
    preprocess={"frames": 64, "resize": (112, 112)},
    augment={"jitter": 4, "flip": True},  # 16 frames, one of each 4
    epochs=60,
    batch_size=32,
    optimizer="sgd",
    optimizer_options={"momentum": 0.9, "weight_decay": 5e-3},
    learning_rate=0.02,
    schedule="cosine",
    schedule_options={"warmup_epochs": 3},
    precision="mixed_bfloat16",
    expected=Expected(
        "accuracy", 0.40, "3-D networks from scratch, 41 to 44 %: Tran 2017, arXiv:1708.05038", measured=False
    ),
)
FOLDER = replace(  # clips of one's own: `zoo train r3d_18 --recipe folder --data VIDEOS`
    DEMO,
    name="folder",
    dataset="",
    preprocess={"frames": 32, "resize": (64, 64)},
    augment={"jitter": 2},  # no flip: left and right may be what the classes differ in
    epochs=30,
    batch_size=8,
    learning_rate=1e-3,
)


def moving(**fields: Any) -> tuple[Recipe, Recipe, Recipe]:
    """The recipes on images that move, with these fields."""
    return replace(DEMO, **fields), replace(MOVING_MNIST, **fields), replace(MOVING_FASHION_MNIST, **fields)


def chain(first: tuple[int, int, int], pool: tuple[int, int, int]) -> dict[str, Any]:
    """Options of `conv3d_demo` for small frames."""
    return {"kernels": (first, (3, 3, 3), (3, 3, 3)), "pool": pool, "filters": (16, 24, 32)}


RECIPES: dict[str, tuple[Recipe, ...]] = {
    "conv3d_demo": (
        replace(
            DEMO,
            model=chain((3, 3, 3), (1, 2, 2)),
            expected=Expected("accuracy", 0.95, "worst of 5 seeds: results/demo.csv"),
        ),
        replace(MOVING_MNIST, model=chain((3, 5, 5), (1, 3, 3))),
        replace(MOVING_FASHION_MNIST, model=chain((3, 5, 5), (1, 3, 3))),
    ),
    "c3d": (
        replace(DEMO, learning_rate=1e-3, model={"width": 0.25, "dropout": 0.2}),
        *moving(learning_rate=1e-3, model={"width": 0.125, "dropout": 0.2})[1:],
        replace(UCF101, learning_rate=0.003),  # the paper's, for a network without normalisation
        replace(FOLDER, learning_rate=1e-4),
    ),
    "r3d_18": (*moving(model={"width": 16, "blocks": (1, 1, 1, 1)}), UCF101, FOLDER),  # mc3_18 and r2plus1d_18 too
    "frame_cnn": (*moving(), replace(UCF101, expected=None), FOLDER),
    "conv1d": (DAILY_VIEWS, SERIES),
}
