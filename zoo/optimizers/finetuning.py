"""Fine-tuning: which layers learn, and how fast.

>>> import zoo
>>> model = zoo.freeze(zoo.build("resnet20"))
>>> [weight.path for weight in model.trainable_weights]
['logits/kernel', 'logits/bias']
"""

from typing import Any

import keras
from keras.optimizers.schedules import LearningRateSchedule as Schedule

from zoo import registry
from zoo.checks import is_number
from zoo.deprecated import renamed
from zoo.errors import UsageError, unknown
from zoo.introspection import graph
from zoo.records import Card

__getattr__ = renamed(
    __name__,
    {
        "rates": "learning_rate_multipliers",
        "learning_blocks": "trainable_blocks",
        "lora": "zoo.optimizers.lora.lora",
    },
)


EXCLUDED = ("_exclude_from_weight_decay", "_exclude_from_weight_decay_pattern")  # what Keras keeps of such a call


def freeze(model: Any, *, until: str | None = None) -> Any:
    """Keep layers as they are: their weights, and the running statistics of their normalisation, stay bit-equal.

    Compile after it, not before: Keras reads what is trainable then. Calls add up: what is frozen stays so until
    `unfreeze`.

    Args:
        model: a flat Functional `keras.Model`.
        until: the last layer to freeze, and everything before it: the name of a layer, of a stage of
            `zoo.introspection.graph.list_stages` (``"stride16"``), or None for all but the `head`: all of a network
            without one (``top=False``), auxiliary heads excepted.

    Returns:
        The model.

    Raises:
        UsageError: for a name that the model does not have.
    """
    for layer in _up_to(model, until):
        layer.trainable = False
    return model


def unfreeze(model: Any, *, since: str | None = None, batch_norm: bool = False) -> Any:
    """Let frozen layers learn again, but for their batch normalisation, and what never learns (the card's `fixed`).

    The statistics of a large data set are worth more than those of a few small batches, and a network whose
    statistics start to move falls apart (keras#9214); so they stay as they are unless asked for.

    Args:
        model: a flat Functional `keras.Model`.
        since: the first layer that is to learn, and everything after it: a layer's or a stage's name; None for all.
        batch_norm: let the frozen batch normalisations learn, and their statistics move, too.

    Returns:
        The model; compile it anew.

    Raises:
        UsageError: for a name that the model does not have.
    """
    before = _up_to(model, since)[:-1] if since else []
    card = card_of(model)
    for layer in model.layers:
        kept = layer in before or (card is not None and layer.name in card.fixed)
        if not kept and (batch_norm or not isinstance(layer, keras.layers.BatchNormalization)):
            layer.trainable = True
    return model


def head(model: Any) -> list[Any]:
    """The last layers of a network, which another set of classes replaces: those that its card names, or else the one
    that makes the output (`zoo.introspection.graph.head`). None of a network without its top.

    The embedding, where it makes the logits too.

    >>> import zoo
    >>> [[layer.name for layer in head(zoo.build(name))] for name in ("vgg16_small", "gpt")]
    [['predictions'], ['embedding']]
    >>> head(zoo.build("vgg16_small", top=False))
    []
    """
    card = card_of(model)
    _, options = registry.origin(model) or ("", {})
    if options.get("num_classes") == 0:
        return []
    named = [layer for layer in model.layers if card and layer.name in card.head]
    if named or (card and card.head and registry.origin(model)):
        return named
    return [] if options.get("top") is False else graph.head(model)


def card_of(model: Any) -> Card | None:
    """The card of a network that was built here, or has the name of one that was: it may come from a file."""
    name, _ = registry.origin(model) or (getattr(model, "name", ""), {})
    return registry.cards().get(name)


@keras.saving.register_keras_serializable("zoo")
class Scaled(Schedule):
    """A schedule times a number."""

    def __init__(self, schedule: Schedule, factor: float):
        self.schedule, self.factor = schedule, factor

    def __call__(self, step: Any) -> Any:
        return self.schedule(step) * self.factor

    def get_config(self) -> dict[str, Any]:
        return {"schedule": keras.saving.serialize_keras_object(self.schedule), "factor": self.factor}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Scaled":
        return cls(keras.saving.deserialize_keras_object(config["schedule"]), config["factor"])


def learning_rate_multipliers(model: Any, decay: float) -> dict[str, float]:
    """What `layerwise` multiplies the learning rate of each variable with, by the variable's path.

    1 for the head and for what is on no way to the output (auxiliary heads), `decay` for the block before it,
    `decay` squared for the one before that (Howard & Ruder 2018, section 3.2: 1 / 2.6 by the layer).
    """
    found = {variable.path: 1.0 for variable in model.variables}
    for distance, block in enumerate(reversed(trainable_blocks(model))):
        for layer in block:
            found |= {variable.path: decay**distance for variable in layer.variables}
    return found


def layerwise(optimizer: keras.Optimizer | str, model: Any, *, decay: float = 0.8) -> keras.Optimizer:
    """An optimizer whose learning rate shrinks from the head to the first layer, block by block.

    Decoupled weight decay shrinks with it, since it acts through the rate, and spares what `exclude_from_weight_decay`
    excluded. `optimizer` itself is not used up: each block gets one like it (Keras's `MultiOptimizer` holds them).

    Args:
        optimizer: any Keras optimizer, with a number or a schedule for its rate; or the name of one, as in `compile`.
        model: a flat Functional `keras.Model`; `zoo.introspection.graph.blocks(model)` are its blocks.
        decay: factor from one block to the block before it, above 0 and at most 1.

    Raises:
        UsageError: for a `decay` outside that range, what is no optimizer, or one that clips all gradients together.

    >>> import zoo
    >>> optimizer = layerwise(keras.optimizers.SGD(0.1), zoo.build("lenet5"), decay=0.5)
    >>> sorted(float(each.learning_rate) for each in optimizer.optimizers)[::-1]
    [0.1..., 0.05..., 0.025..., 0.0125..., 0.00625...]
    """
    if not is_number(decay, 0, 1) or decay == 0:
        raise UsageError(f"decay is {decay!r}; expected a number above 0 and at most 1")
    try:
        optimizer = keras.optimizers.get(optimizer)
    except (ValueError, TypeError):
        raise UsageError(f"the optimizer is {optimizer!r}; expected one of keras.optimizers, or its name") from None
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer | keras.optimizers.MultiOptimizer):
        raise UsageError(f"the optimizer is a {type(optimizer).__name__}; expected the one that it holds")
    if optimizer.global_clipnorm is not None:
        raise UsageError("the optimizer has global_clipnorm, which looks at all layers at once; expected clipnorm")
    multipliers = learning_rate_multipliers(model, decay)
    copies = {factor: scaled_copy(optimizer, factor) for factor in sorted({1.0, *multipliers.values()}, reverse=True)}
    slower = {path: copies[factor] for path, factor in multipliers.items() if factor < 1}
    return keras.optimizers.MultiOptimizer(keras.optimizers.OptimizerMap(copies[1.0], slower), name="layerwise")


def scaled_copy(optimizer: keras.Optimizer, factor: float) -> keras.Optimizer:
    """An optimizer of the same kind and settings, its learning rate multiplied by `factor`."""
    config = optimizer.get_config()  # the rate is a number in it, also where a strategy mirrors its variable
    rate = optimizer._learning_rate  # `learning_rate` gives a number even where it is a schedule
    is_schedule = isinstance(rate, Schedule)
    copy = type(optimizer).from_config(
        config if is_schedule else {**config, "learning_rate": config["learning_rate"] * factor}
    )
    if is_schedule:
        copy.learning_rate = Scaled(rate, factor)
    for excluded in EXCLUDED:  # is in no config
        if hasattr(optimizer, excluded):
            setattr(copy, excluded, getattr(optimizer, excluded))
    return copy


def without_decay(model: Any) -> list[Any]:
    """The variables that weight decay should spare: biases, norms and embeddings, whose size is no sign of overfitting.

    So do the recipes of GPT-2, BERT and timm. By shape (one axis) and by name.

    >>> import zoo
    >>> [variable.path for variable in without_decay(zoo.build("lenet5"))][:2]
    ['c1/bias', 'c3/bias']
    """
    return [each for each in model.trainable_variables if len(each.shape) < 2 or each.name in ("bias", "embeddings")]


def trainable_blocks(model: Any) -> list[list[Any]]:
    """`zoo.introspection.graph.blocks`, but a last one without trainable weights goes with the one before it.

    So it is in `lenet5_1998`, whose output layer has fixed codes.
    """
    found = graph.blocks(model)
    while len(found) > 1 and model.trainable_weights and not any(layer.trainable_weights for layer in found[-1]):
        found[-2:] = [found[-2] + found[-1]]
    return found


def _layer_name(model: Any, name: str) -> str:
    """The layer that `name`, its own or a stage's, stands for."""
    stages = {stage.name: stage.layer for stage in graph.list_stages(model)}
    names = [layer.name for layer in model.layers]
    if name not in names and name not in stages:
        raise unknown(f"layer or stage of {model.name}", name, [*names, *stages])
    return stages.get(name, name)


def _up_to(model: Any, name: str | None) -> list[Any]:
    """The layers on the way to the named one, and last that one itself; None: all but the heads."""
    if name is None:
        kept = head(model)
        needed = graph.ancestors(graph.main_output(model)) if kept else {*model.layers}
        return [layer for layer in model.layers if layer in needed and layer not in kept]
    layer = model.get_layer(_layer_name(model, name))
    needed = graph.ancestors(keras.tree.flatten(layer.output)[0]) - {layer}
    return [*(each for each in model.layers if each in needed), layer]
