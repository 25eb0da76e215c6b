"""Numbers to feed to any network of the zoo: weights, inputs, targets and the loss between them.

Everything follows from the model itself (the shapes and dtypes of its inputs and outputs) and from
the task on its card, so that a new name needs no line here. A new task needs one, in `TASKS`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np

from zoo import losses, tasks

FREE_SIZES = {1: 6, 2: 6, 3: 32, 4: 16}  # in place of None, by the rank of the input without the batch axis


@dataclass(frozen=True)
class Sample:
    """How a task's targets look, and how far an untrained network is from them."""

    target: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]  # for an output of that shape
    at_start: Callable[[int], float]  # the loss of an output that knows nothing; takes the number of classes
    tolerance: float


def class_numbers(rng, shape):
    """(batch, ..., classes) logits are compared with (batch, ...) class numbers."""
    return rng.integers(0, shape[-1], shape[:-1]).astype("int32")


def who_is_who(rng, shape):
    """Points (batch, dimensions) come two of a class, triplets need no target, pairs are the same or not."""
    batch = shape[0]
    if len(shape) == 3:
        return np.zeros(batch, "float32")
    return rng.integers(0, 2, shape).astype("float32") if shape[1] == 1 else (np.arange(batch) // 2).astype("int32")


def one_photograph(rng, shape):
    """Pictures (batch, height, width, 3) are compared with a photograph, to keep, and a style, to take. Here both are
    one plain colour, so that there is a picture that is right."""
    return np.full((shape[0], 2, *shape[1:]), rng.uniform(0.75, 0.9, 3), "float32")


TASKS = {
    "image_classification": Sample(class_numbers, math.log, tolerance=1.0),
    "video_classification": Sample(class_numbers, math.log, tolerance=1.0),
    "binary_classification": Sample(
        lambda rng, shape: rng.integers(0, 2, shape).astype("int32"),
        lambda classes: math.log(2),
        tolerance=0.8,  # one neuron over 30 inputs starts with logits of standard deviation 1.4
    ),
    "text_classification": Sample(class_numbers, math.log, tolerance=1.0),
    "translation": Sample(class_numbers, math.log, tolerance=1.0),
    "language_modelling": Sample(class_numbers, math.log, tolerance=0.5),
    "metric_learning": Sample(
        who_is_who,
        lambda dimensions: math.log(2) if dimensions == 1 else 0.2,  # a guess; all distances equal: the margin
        tolerance=0.5,
    ),
    "word_vectors": Sample(  # one true word and drawn ones: a logistic loss for each
        lambda rng, shape: rng.integers(0, 2, shape).astype("int32"),
        lambda candidates: candidates * math.log(2),
        tolerance=0.05,
    ),
    "forecasting": Sample(
        lambda rng, shape: rng.normal(size=shape).astype("float32"),
        lambda classes: 1.0,  # the variance of the targets
        tolerance=3.0,  # plus that of the predictions, which is of the same size
    ),
    "style_transfer": Sample(
        one_photograph,
        lambda classes: 6.0,  # content and five times the style, each relative to what is wanted
        tolerance=6.0,
    ),
}

COUNTS = np.arange(1, 100)  # of meetings, for GloVe
LOSSES = {  # where a card has a loss of its own whose targets are others than its task's
    "next_word": Sample(class_numbers, math.log, tolerance=1.0),
    "glove": Sample(
        lambda rng, shape: rng.choice(COUNTS, shape).astype("float32"),
        lambda _: float(np.mean((COUNTS / 100) ** 0.75 * np.log(COUNTS) ** 2)),
        tolerance=4.0,  # of 32 drawn counts
    ),
}


def sample_of(card):
    """How the targets of a card look."""
    return LOSSES.get(card.loss, TASKS[card.task])


def loss_of(card):
    """The loss that a card asks for: its own, or else its task's."""
    return losses.get(card.loss) if card.loss else tasks.TASKS[card.task].loss()


def inputs(model, batch, seed=0):
    """A batch for the model: an array, or a dictionary of arrays where it has several inputs.

    Numbers are standard normal, tokens are drawn from the smallest vocabulary among the embeddings.
    """
    rng = np.random.default_rng(seed)
    vocabulary = min([layer.input_dim for layer in model.layers if isinstance(layer, keras.layers.Embedding)] or [10])

    def draw(tensor):
        shape = [batch] + [size or FREE_SIZES[len(tensor.shape) - 1] for size in tensor.shape[1:]]
        if "int" in tensor.dtype:
            return rng.integers(0, 256 if tensor.dtype == "uint8" else vocabulary, shape).astype(tensor.dtype)
        return rng.normal(size=shape).astype("float32")

    arrays = {tensor.name: draw(tensor) for tensor in model.inputs}
    return arrays if len(arrays) > 1 else next(iter(arrays.values()))


def targets(card, outputs, seed=1):
    """Targets for outputs (arrays in any structure) of the card's task, drawn without regard to the inputs."""
    rng = np.random.default_rng(seed)
    return keras.tree.map_structure(lambda output: sample_of(card).target(rng, output.shape), outputs)


def arrays(outputs):
    """A model's output as NumPy arrays, whatever the backend."""
    return keras.tree.map_structure(keras.ops.convert_to_numpy, outputs)


def weights(model):
    """A value for every trained number, which depends only on its place in the model: pairs (variable, array).

    Each variable has its own generator, seeded by its index. Kernels are scaled by their fan-in so
    that values stay near 1 from layer to layer; scales and variances are positive. Numbers that are
    fixed by design (the codes of `lenet5_1998`, say) are left as they are.
    """
    for index, variable in enumerate(model.weights):
        ending = variable.path.rpartition("/")[2]
        if not variable.trainable and not ending.startswith(("moving_", "kernel", "bias")):  # of a frozen layer
            continue
        noise = np.random.default_rng(index).normal(size=tuple(variable.shape))
        if ending in ("gamma", "moving_variance", "scale"):
            values = 1.0 + 0.5 * np.tanh(noise)
        elif len(variable.shape) < 2:  # biases and means
            values = 0.1 * noise
        elif ending == "embeddings":
            values = noise
        else:  # a depthwise kernel (height, width, channels, 1) sums over height and width alone
            fan_in = math.prod(variable.shape[:-2] if "depthwise" in ending else variable.shape[:-1])
            values = noise * math.sqrt(2.0 / fan_in)
        yield variable, values.astype("float32")


def fill(model):
    """The model, with the values of `weights`."""
    for variable, values in weights(model):
        variable.assign(values)
    return model
