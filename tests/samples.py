"""Numbers to feed to any network of the zoo: weights, inputs, targets and the loss between them.

Everything follows from the model itself (the shapes and dtypes of its inputs and outputs) and from
the task on its card (`Task.sample`), so that neither a new name nor a new task needs a line here.
"""

import json
import math

import keras
import numpy as np

from zoo import losses, tasks

FREE_SIZES = {1: 6, 2: 6, 3: 32, 4: 16}  # in place of None, by the rank of the input without the batch axis


def structure(model):
    """What a network is made of, apart from its name: the same text for two networks that compute the same function."""
    return json.dumps(model.get_config()["layers"], default=str)


def sample_of(card, head=""):
    """How the targets of a head of a network with this card look."""
    return tasks.get(card.task).sample(card, head)


def loss_of(card, heads=("",)):
    """The loss of each head: the card's own, or else its task's; one alone for a network with one output."""
    own = losses.get(card.loss) if card.loss else None
    found = tasks.get(card.task).losses(heads, own)
    return found[""] if list(found) == [""] else found


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
    """Targets of the card's task for outputs (an array, or a dictionary of them), drawn without regard to inputs."""
    rng = np.random.default_rng(seed)
    if isinstance(outputs, dict):
        return {head: sample_of(card, head).targets(rng, output.shape) for head, output in outputs.items()}
    return sample_of(card).targets(rng, outputs.shape)


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
