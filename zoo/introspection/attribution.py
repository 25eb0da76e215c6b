"""What in an input speaks for a class: saliency, integrated gradients, and occlusion, on any number of axes.

Saliency asks what a small change of each number would do, integrated gradients how much each number has done on the
way from a baseline, occlusion what is lost where a part is covered. Grad-CAM (`zoo.introspection.grad_cam`) looks at
the last maps instead. `heatmaps` has all four under one roof, at least 0 and at the resolution of the input.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo.backend import compiled, gradient
from zoo.checks import check_whole
from zoo.errors import UsageError, unknown
from zoo.introspection.grad_cam import grad_cam, one_output, stretch, weights_of_classes

METHODS = ("gradcam", "saliency", "integrated", "occlusion")
LARGEST, MOST = 2**20, 512  # numbers in a batch of inputs, and examples: seven photographs of 224x224, many digits
OFTEN = 8  # calls from which on it pays to compile
WINDOWS = 6  # that occlusion covers the length of an axis with, unless told otherwise

Classes = int | Sequence[int] | np.ndarray


def saliency(model: Any, x: Any, class_index: Classes, *, head: str | None = None) -> np.ndarray:
    """The gradient of a class's logit with respect to the input.

    K. Simonyan, A. Vedaldi and A. Zisserman, "Deep Inside Convolutional Networks: Visualising Image Classification
    Models and Saliency Maps", ICLR workshop 2014, section 3; the map of section 3.1 is the largest absolute value
    over the channels, as `heatmaps` has it.

    Args:
        model: a `keras.Model` of one float input (batch, *axes, channels) to (batch, classes) logits, or to a
            dictionary of such; one logit alone stands for class 1 of two.
        x: a batch of inputs, scaled as the model takes them.
        class_index: the class to explain, or one for each example.
        head: the output to explain where there are several; ``"logits"`` if left out.

    Returns:
        float32 (batch, *axes, channels): by how much the logit grows with each number.

    Raises:
        UsageError: for a head or class that does not exist, or a model of tokens or several inputs.

    >>> given = keras.Input((2, 1))
    >>> model = keras.Model(given, keras.layers.Dense(1, use_bias=False)(keras.layers.Flatten()(given)))
    >>> model.set_weights([np.float32([[2], [-3]])])
    >>> saliency(model, np.float32([[[5], [7]]]), 1)[0, :, 0]
    array([ 2., -3.], dtype=float32)
    """
    score, x = scorer(model, head), as_array(x)
    weights = weights_of_classes(class_index, len(x), score.output_shape[-1])
    parts = [as_array(gradients(score, x[part], weights[part])) for part in parts_of(len(x), x)]
    return np.concatenate(parts) if parts else np.zeros_like(x)


def integrated_gradients(
    model: Any, x: Any, class_index: Classes, *, reference: Any = 0.0, steps: int = 128, head: str | None = None
) -> np.ndarray:
    """How much each number has added to a class's logit on the straight way from a reference to the input.

    M. Sundararajan, A. Taly and Q. Yan, "Axiomatic Attribution for Deep Networks", ICML 2017, equation 1; the
    integral is the mean over the middles of `steps` equal parts. They add up to the logit of the input less that of
    the reference ("completeness", proposition 1), but for the error of the sum: more steps make it smaller.

    Args:
        model, x, class_index, head: as in `saliency`.
        reference: an input that says nothing, the paper's baseline: a number, or an array that fits `x`. 0 is the mean
            of the training set where inputs are standardised.
        steps: of the sum.

    Returns:
        float32 (batch, *axes, channels).

    Raises:
        UsageError: as in `saliency`, and for a reference that does not fit.

    >>> given = keras.Input((2, 1))
    >>> model = keras.Model(given, keras.layers.Dense(1, use_bias=False)(keras.layers.Flatten()(given)))
    >>> model.set_weights([np.float32([[2], [-3]])])
    >>> integrated_gradients(model, np.float32([[[5], [7]]]), 1)[0, :, 0]  # of a linear model: weight times input
    array([ 10., -21.], dtype=float32)
    """
    check_whole("steps", steps)
    score, x = scorer(model, head), as_array(x)
    weights = weights_of_classes(class_index, len(x), score.output_shape[-1])
    reference = like(reference, x, "reference")
    middles = ((np.arange(steps) + 0.5) / steps).astype("float32").reshape(-1, *[1] * (x.ndim - 1))
    total, score = np.zeros(x.shape, "float64"), often(score, gradients, len(x))
    for row, (start, end) in enumerate(zip(reference, x)):
        for part in parts_of(steps, x):
            points = start + middles[part] * (end - start)  # (points, *axes, channels)
            total[row] += as_array(score(points, weights[[row] * len(points)])).sum(0, dtype="float64")
    return ((x - reference) * total / steps).astype("float32")


def occlusion(
    model: Any,
    x: Any,
    class_index: Classes,
    *,
    window: int | Sequence[int] | None = None,
    stride: int | Sequence[int] | None = None,
    fill: float = 0.0,
    head: str | None = None,
) -> np.ndarray:
    """By how much a class's logit falls where a part of the input is covered.

    M. Zeiler and R. Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014, section 4.2, with
    the logit in place of the probability, which stays at 1 where a network is sure.

    Args:
        model, x, class_index, head: as in `saliency`.
        window: the sizes of the cover on each axis but the channels, or one for all; a sixth of each if left out.
        stride: how far the cover moves each time; half of the window if left out. It reaches the end of each axis.
        fill: what is put in its place; 0 is the mean of the training set where inputs are standardised.

    Returns:
        float32 (batch, *axes): the mean over all covers that hide a place of logit less logit of the covered input.

    Raises:
        UsageError: as in `saliency`, and for a window or stride that is not at least 1.

    >>> given = keras.Input((3, 1))
    >>> model = keras.Model(given, keras.layers.Dense(1, use_bias=False)(keras.layers.Flatten()(given)))
    >>> model.set_weights([np.float32([[1], [2], [4]])])
    >>> occlusion(model, np.ones((1, 3, 1), "float32"), 1, window=2, stride=1)  # covers hide 1 + 2 and 2 + 4
    array([[3. , 4.5, 6. ]], dtype=float32)
    """
    score, x = scorer(model, head), as_array(x)
    weights = weights_of_classes(class_index, len(x), score.output_shape[-1])
    axes = x.shape[1:-1]
    windows = sizes("window", window, axes, [-(-size // WINDOWS) for size in axes])
    strides = sizes("stride", stride, axes, [-(-size // 2) for size in windows])
    starts = [
        [*range(0, size - width, step), max(size - width, 0)] for size, width, step in zip(axes, windows, strides)
    ]
    covers = [
        tuple(slice(at, at + width) for at, width in zip(corner, windows)) for corner in itertools.product(*starts)
    ]
    heat, hidden = np.zeros(x.shape[:-1], "float64"), np.zeros(axes)
    score = often(score, scores, len(x))
    for cover in covers:
        hidden[cover] += 1
    for row, example in enumerate(x):
        whole = as_array(score(example[None], weights[[row]]))
        for part in parts_of(len(covers), x):
            covered = np.repeat(example[None], len(covers[part]), axis=0)
            for each, cover in zip(covered, covers[part]):
                each[cover] = fill
            for cover, lost in zip(covers[part], whole - as_array(score(covered, weights[[row] * len(covered)]))):
                heat[row][cover] += lost
    return (heat / hidden).astype("float32")


def heatmaps(model: Any, x: Any, class_index: Classes, method: str = "gradcam", *, head: str | None = None) -> Any:
    """Where in the input a class is seen, by one of `METHODS`: float32 (batch, *axes), at least 0.

    What speaks against the class counts as 0, but for saliency, which knows no direction.

    Raises:
        UsageError: for another method, and as that method does.

    >>> import zoo
    >>> heatmaps(zoo.build("lenet5"), np.ones((1, 28, 28, 1), "float32"), 3, "saliency").shape
    (1, 28, 28)
    """
    check_method(method)
    if method == "gradcam":
        return stretch(grad_cam(model, x, class_index, head=head), as_array(x).shape[1:-1])
    if method == "saliency":
        return np.abs(saliency(model, x, class_index, head=head)).max(-1)
    if method == "integrated":
        return np.maximum(integrated_gradients(model, x, class_index, head=head).sum(-1), 0)
    return np.maximum(occlusion(model, x, class_index, head=head), 0)


def check_method(method: str) -> None:
    """Raise unless there is such an explanation."""
    if method not in METHODS:
        raise unknown("explanation", method, METHODS)


# What they share


def scorer(model: Any, head: str | None) -> Any:
    """The model with the logits that are meant as its only output.

    Raises:
        UsageError: where its input cannot be moved by a little.
    """
    logits = one_output(model, head)
    if len(model.inputs) != 1 or "float" not in model.inputs[0].dtype:
        inputs = ", ".join(f"{each.name} ({each.dtype})" for each in model.inputs)
        raise UsageError(f"{model.name} takes {inputs}; expected one input of float numbers, as of images")
    return keras.Model(model.inputs[0], logits, name=model.name)


def scores(score: Any, x: Any, weights: Any) -> Any:
    """The logit that is explained, of each example: (batch,)."""
    logits = ops.cast(score(ops.convert_to_tensor(x), training=False), "float32")  # (batch, classes)
    return ops.sum(logits * ops.convert_to_tensor(weights), axis=-1)


def gradients(score: Any, x: Any, weights: Any) -> Any:
    """The gradient of the logit that is explained, with respect to each example: (batch, *axes, channels)."""
    return ops.cast(gradient(lambda x: ops.sum(scores(score, x, weights)), ops.convert_to_tensor(x)), "float32")


def often(score: Any, function: Any, times: int) -> Any:
    """`scores` or `gradients` of a network, as a function of inputs and weights of the classes; where it is called so
    often that it pays, compiled."""

    def of_tensors(x: Any, weights: Any) -> Any:
        return function(score, x, weights)

    if times < OFTEN:
        return of_tensors
    fast = compiled(of_tensors)
    return lambda x, weights: fast(ops.convert_to_tensor(x), ops.convert_to_tensor(weights))


def parts_of(count: int, like: np.ndarray) -> list[slice]:
    """So many inputs, each as large as one of those, in parts whose gradients fit into memory."""
    most = max(1, min(MOST, LARGEST // max(1, math.prod(like.shape[1:]))))
    return [slice(start, start + most) for start in range(0, count, most)]


def as_array(x: Any) -> np.ndarray:
    """A batch of inputs as float32."""
    return np.asarray(ops.convert_to_numpy(x), "float32")


def like(value: Any, x: np.ndarray, name: str) -> np.ndarray:
    """A number or an array, one for each example of `x`.

    Raises:
        UsageError: where it does not fit.
    """
    try:
        return np.broadcast_to(np.asarray(value, "float32"), x.shape)
    except ValueError:
        raise UsageError(
            f"{name} has the shape {np.shape(value)}; expected a number, or an array that fits {x.shape}"
        ) from None


def sizes(name: str, given: int | Sequence[int] | None, axes: Sequence[int], usual: Sequence[int]) -> list[int]:
    """A size for each axis, no longer than that."""
    found = list(usual) if given is None else [given] * len(axes) if isinstance(given, int) else list(given)
    if len(found) != len(axes):
        raise UsageError(f"{name} is {given}; expected a whole number, or one for each of {len(axes)} axes")
    for each in found:
        check_whole(name, each)
    return [min(math.trunc(each), size) for each, size in zip(found, axes)]
