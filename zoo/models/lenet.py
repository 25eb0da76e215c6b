"""LeNet-5: the convolutional network that read cheques.

Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-Based Learning Applied to Document
Recognition", Proceedings of the IEEE 86(11), 1998: section II and Figure 2.

Two networks go by the name. `lenet5_1998` is the paper's own: pooling layers that learn a scale and
an offset, a convolution C3 that sees only chosen pairs of maps, a scaled tanh, and an output layer
that measures distances to drawings of the digits; exactly 60,000 trainable parameters. `lenet5` is what
courses have taught since: the same sizes with every map connected, plain pooling, ReLU and a softmax
layer; 61,706 parameters.

    layer   1998                                        shape (height, width, maps)   trainable
    C1      6 filters 5x5                               28, 28, 6                           156
    S2      2x2 sums, scaled and shifted                14, 14, 6                            12
    C3      16 filters 5x5 over chosen maps (Table I)   10, 10, 16      1,516 (lenet5:   2,416)
    S4      2x2 sums, scaled and shifted                 5,  5, 16                           32
    C5      120 filters 5x5                              1,  1, 120                      48,120
    F6      84 units                                    84                               10,164
    output  10 distances to fixed codes                 10                  0 (lenet5:     850)
"""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

from zoo.checks import check_image
from zoo.errors import UsageError
from zoo.recipes.lenet import RECIPES
from zoo.records import Card, Input
from zoo.registry import register

PAPER = "LeCun, Bottou, Bengio & Haffner 1998, Proc. IEEE 86(11), section II"


@register(
    Card(
        task="image_classification",
        summary="LeNet-5 as it is taught today: full connections, max pooling, ReLU, softmax",
        params=61_706,
        paper=PAPER,
        deviations=(
            "C3 sees all six maps (no Table I)",
            "max pooling without weights in place of trainable subsampling",
            "ReLU in place of the scaled tanh",
            "a linear layer with softmax in place of distances to fixed codes",
            "28x28 input with zero padding in C1 in place of 32x32",
        ),
        inputs=(Input("image", (28, 28, 1), holds="grey pixels, standardised by the training set"),),
        preprocessing="standardise",
        recipes=RECIPES["lenet5"],
        tiny={},
        tutorial="10_lenet.py",
    )
)
def lenet5(
    *, input_shape: tuple[int | None, ...] = (28, 28, 1), num_classes: int = 10, activation: str = "relu",
    pooling: str = "max", dropout: float = 0.0, name: str = "lenet5",
) -> keras.Model:  # fmt: skip
    """LeNet-5 with today's parts (LeCun 1998, Figure 2, less the parts nobody kept).

    Args:
        input_shape: (height, width, channels); at least 12 x 12 pixels.
        num_classes: length of the logit vector.
        activation: of every layer but the last; ``"tanh"`` is nearer to the paper.
        pooling: ``"max"`` or ``"average"``.
        dropout: fraction of F6's units dropped in training.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, height, width, channels) standardised pixels to (batch, num_classes) logits.

    Raises:
        UsageError: if the images are too small or `pooling` is not one of the two.

    >>> lenet5().count_params()
    61706
    """
    check_image(input_shape, 12, name)
    pools = {"max": layers.MaxPooling2D, "average": layers.AveragePooling2D}
    if pooling not in pools:
        raise UsageError(f"pooling is {pooling!r}; expected 'max' or 'average'")
    image = keras.Input(input_shape, name="image")
    x = layers.Conv2D(6, 5, padding="same", activation=activation, name="c1")(image)
    x = pools[pooling](2, name="s2")(x)
    x = layers.Conv2D(16, 5, activation=activation, name="c3")(x)
    x = pools[pooling](2, name="s4")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(120, activation=activation, name="c5")(x)  # on 5x5 maps, a 5x5 convolution is a dense layer
    x = layers.Dense(84, activation=activation, name="f6")(x)
    x = layers.Dropout(dropout, name="dropout")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name=name)


# Table I of the paper: the maps of S2 (columns, 0-5) that each of the 16 maps of C3 is connected to.
TABLE_I = (
    "012", "123", "234", "345", "045", "015",
    "0123", "1234", "2345", "0345", "0145", "0125", "0134", "1245", "0235",
    "012345",
)  # fmt: skip

# The digits on a 7 x 12 grid, hence the 84 units of F6 (the paper's Figure 3 draws all of ASCII so).
GLYPHS = """
.......  .......  .......  .......  .......  .......  .......  .......  .......  .......
..###..  ...#...  .#####.  .#####.  ....##.  #######  ..####.  #######  .#####.  .#####.
.#...#.  ..##...  #.....#  #.....#  ...#.#.  #......  .#.....  ......#  #.....#  #.....#
#.....#  .#.#...  ......#  ......#  ..#..#.  #......  #......  .....#.  #.....#  #.....#
#.....#  ...#...  ......#  ......#  .#...#.  #......  #......  .....#.  #.....#  #.....#
#.....#  ...#...  .....#.  ..####.  #....#.  ######.  #.####.  ....#..  .#####.  .######
#.....#  ...#...  ....#..  ......#  #######  ......#  ##....#  ....#..  #.....#  ......#
#.....#  ...#...  ...#...  ......#  .....#.  ......#  #.....#  ...#...  #.....#  ......#
#.....#  ...#...  ..#....  ......#  .....#.  ......#  #.....#  ...#...  #.....#  ......#
.#...#.  ...#...  .#.....  #.....#  .....#.  #.....#  #.....#  ..#....  #.....#  .....#.
..###..  .#####.  #######  .#####.  .....#.  .#####.  .#####.  ..#....  .#####.  .####..
.......  .......  .......  .......  .......  .......  .......  .......  .......  .......
"""


def digit_codes() -> np.ndarray:
    """The drawings of `GLYPHS` as the target codes of the output layer: (10, 84), +1 for ink and -1 for paper."""
    rows = [line.split() for line in GLYPHS.split("\n") if line]
    return np.array([[1.0 if dot == "#" else -1.0 for row in rows for dot in row[digit]] for digit in range(10)])


@keras.saving.register_keras_serializable("zoo")
def scaled_tanh(x: Any) -> Any:
    """The paper's squashing function, 1.7159 tanh(2x / 3) (Appendix A): f(1) = 1 and f(-1) = -1."""
    return 1.7159 * ops.tanh(2.0 / 3.0 * x)


@keras.saving.register_keras_serializable("zoo")
class FanIn(keras.initializers.RandomUniform):
    """Uniform in +-2.4 / F for F inputs to the unit (Appendix A). `fan_in` where the shape does not tell."""

    def __init__(self, fan_in: float | None = None, seed: int | None = None):
        super().__init__(seed=seed)
        self.fan_in = fan_in

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        bound = 2.4 / (self.fan_in or float(np.prod(shape[:-1])))
        return keras.random.uniform(shape, -bound, bound, dtype=dtype, seed=self.seed)

    def get_config(self) -> dict[str, Any]:
        return {"fan_in": self.fan_in, "seed": super().get_config()["seed"]}


@keras.saving.register_keras_serializable("zoo")
class Subsampling(layers.Layer):
    """S2 and S4: the four pixels of a 2x2 square are added, scaled, shifted and squashed; two weights for each map.

    (batch, height, width, maps) -> (batch, height // 2, width // 2, maps)
    """

    def build(self, shape: tuple[Any, ...]) -> None:
        maps = (shape[-1],)
        self.scale = self.add_weight(shape=maps, initializer=FanIn(fan_in=4.0), name="scale")
        self.offset = self.add_weight(shape=maps, initializer="zeros", name="offset")

    def call(self, x: Any) -> Any:
        sums = 4.0 * ops.average_pool(x, 2, 2)
        return scaled_tanh(sums * self.scale + self.offset)

    def multiply_adds(self, before: tuple[int, ...], after: tuple[int, ...]) -> int:
        return after[0] * after[1] * after[2]

    def compute_output_shape(self, shape: tuple[Any, ...]) -> tuple[int | None, ...]:
        batch, height, width, maps = shape
        return (batch, height // 2, width // 2, maps)


@keras.saving.register_keras_serializable("zoo")
class SparseConv2D(layers.Layer):
    """C3: a 5x5 convolution whose 16 maps see only the input maps that Table I lists: 60 kernels, 16 biases.

    (batch, height, width, 6) -> (batch, height - 4, width - 4, 16)
    """

    def build(self, shape: tuple[Any, ...]) -> None:
        pairs = [(int(source), target) for target, sources in enumerate(TABLE_I) for source in sources]
        placement = np.zeros((len(pairs), shape[-1] * len(TABLE_I)), "float32")  # where each kernel goes in a full one
        for row, (source, target) in enumerate(pairs):
            placement[row, source * len(TABLE_I) + target] = 1.0
        self.placement = placement
        fan_in = 25.0 * len(pairs) / len(TABLE_I)  # on average
        self.kernels = self.add_weight(shape=(25, len(pairs)), initializer=FanIn(fan_in=fan_in), name="kernels")
        self.bias = self.add_weight(shape=(len(TABLE_I),), initializer="zeros", name="bias")

    def call(self, x: Any) -> Any:
        placement = ops.cast(self.placement, self.compute_dtype)
        full = ops.reshape(ops.matmul(self.kernels, placement), (5, 5, -1, len(TABLE_I)))
        return scaled_tanh(ops.conv(x, full, padding="valid") + self.bias)

    def multiply_adds(self, before: tuple[int, ...], after: tuple[int, ...]) -> int:
        return after[0] * after[1] * self.kernels.shape[0] * self.kernels.shape[1]

    def compute_output_shape(self, shape: tuple[Any, ...]) -> tuple[int | None, ...]:
        batch, height, width, _ = shape
        return (batch, height - 4, width - 4, len(TABLE_I))


@keras.saving.register_keras_serializable("zoo")
class DistanceToCodes(layers.Layer):
    """The output layer: minus the squared distance of F6 to the fixed code of each class (equation 7).

    (batch, 84) -> (batch, classes). With the sign turned, the nearest code has the largest logit, and
    softmax cross-entropy on these logits is the paper's discriminative criterion (equation 9) with its
    constant j left out. The codes are weights that are never trained.
    """

    def __init__(self, num_classes: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.num_classes = num_classes

    def build(self, shape: tuple[Any, ...]) -> None:
        if (self.num_classes, shape[-1]) == (10, 84):
            codes = digit_codes()
        else:  # the paper's alternative: components +1 or -1 at random
            codes = np.random.default_rng(0).choice([-1.0, 1.0], (self.num_classes, shape[-1]))
        self.codes = self.add_weight(
            shape=codes.shape, initializer=keras.initializers.Constant(codes), trainable=False, name="codes"
        )

    def call(self, x: Any) -> Any:
        return -ops.sum(ops.square(ops.expand_dims(x, 1) - self.codes), axis=-1)

    def multiply_adds(self, before: tuple[int, ...], after: tuple[int, ...]) -> int:
        return before[0] * after[0]

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (shape[0], self.num_classes)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_classes": self.num_classes}


@register(
    Card(
        task="image_classification",
        summary="LeNet-5 as published: trainable subsampling, the sparse C3, distances to drawn digits",
        params=60_000,
        non_trainable_params=840,
        paper=PAPER,
        deviations=(
            "the ten drawings of the output codes are our own (the paper's Figure 3 shows others)",
            "softmax cross-entropy: equation 9 without its constant j",
            "Adam in place of the stochastic diagonal Levenberg-Marquardt method",
            "squashing after the subsampling layers is the scaled tanh as well",
        ),
        inputs=(Input("image", (32, 32, 1), holds="grey pixels, standardised by the training set"),),
        preprocessing="standardise",
        recipes=RECIPES["lenet5_1998"],
        head=("f6", "distances"),  # the codes are fixed: what is to be near them learns
        tiny={},
        tutorial="10_lenet.py",
    )
)
def lenet5_1998(*, num_classes: int = 10, name: str = "lenet5_1998") -> keras.Model:
    """LeNet-5 as published (LeCun 1998, section II.B, Figure 2, Table I).

    Args:
        num_classes: 10 has the drawn codes; any other number of classes gets random codes of +1 and -1.
        name: of the returned model.

    Returns:
        A `keras.Model`: (batch, 32, 32, 1) standardised pixels to (batch, num_classes) logits, each minus a
        squared distance.

    >>> sum(int(np.prod(w.shape)) for w in lenet5_1998().trainable_weights)
    60000
    """
    image = keras.Input((32, 32, 1), name="image")
    x = layers.Conv2D(6, 5, activation=scaled_tanh, kernel_initializer=FanIn(), name="c1")(image)
    x = Subsampling(name="s2")(x)
    x = SparseConv2D(name="c3")(x)
    x = Subsampling(name="s4")(x)
    x = layers.Conv2D(120, 5, activation=scaled_tanh, kernel_initializer=FanIn(), name="c5")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(84, activation=scaled_tanh, kernel_initializer=FanIn(), name="f6")(x)
    logits = DistanceToCodes(num_classes, dtype="float32", name="distances")(x)
    return keras.Model(image, logits, name=name)
