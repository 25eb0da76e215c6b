"""Recipes of LeNet-5 (`zoo/models/lenet.py`)."""

from zoo.recipes import DIGITS, FASHION_MNIST, FOLDER, MNIST
from zoo.records import Expected, Recipe, replace

DEMO = replace(DIGITS, preprocess={"resize": (28, 28)}, augment={"shift": 2}, epochs=25)
# Digits as other people draw them: on any paper, of any size, leaning, with other pens (benchmarks/drawn_digits.py).
DRAWN = replace(
    DEMO,
    preprocess={"ink": (20, 20), "pad": (28, 28)},
    augment={"affine": {"rotation": 10, "slant": 0.3, "zoom": (0.75, 1.25), "shift": 2}, "stroke": 0.3},
    model={"dropout": 0.4},
    epochs=60,
)
SHIFTED = replace(MNIST, augment={"shift": 2}, learning_rate=2e-3)
FASHION = replace(FASHION_MNIST, augment={"flip": True}, epochs=20, learning_rate=2e-3)

RECIPES: dict[str, tuple[Recipe, ...]] = {
    "lenet5": (
        replace(DRAWN, expected=Expected("accuracy", 0.97, "worst of 5 seeds: results/demo.csv")),
        replace(
            SHIFTED,
            expected=Expected(
                "accuracy", 0.990, "LeCun 1998, Figure 9: 0.95 % error without distortions; 3 seeds: results/mnist.csv"
            ),
        ),
        replace(FASHION, expected=Expected("accuracy", 0.900, "3 seeds: results/fashion_mnist.csv")),
        replace(FOLDER, preprocess={"cover": (28, 28)}),
    ),
    "lenet5_1998": (
        replace(
            DEMO,
            preprocess={"resize": (32, 32)},
            epochs=40,
            learning_rate=1e-3,
            expected=Expected("accuracy", 0.96, "worst of 5 seeds: results/demo.csv"),
        ),
        replace(SHIFTED, preprocess={"pad": (32, 32)}),
        replace(FASHION, preprocess={"pad": (32, 32)}),
    ),
}
