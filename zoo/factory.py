"""From a name to a network: the one way to build.

It stands above the registry, which knows names and cards, and above the weights, which know files.
"""

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import registry
from zoo.deprecated import check_one_name, warn
from zoo.errors import UsageError, first_line, unknown
from zoo.records import Card
from zoo.weights import tags

if TYPE_CHECKING:
    from zoo.weights.matching import Report

log = logging.getLogger("zoo")

RENAMED = {  # options of builders up to 0.1, and what they are called now
    "blocks": "num_layers",
    "heads": "num_heads",
    "hidden": "mlp_dim",
    "longest": "max_length",
    "picture_shape": "image_shape",
    "pictures": "num_images",
}


def build(name: str, /, *, weights: str | Path | None = None, preprocessing: str | None = None, **options: Any) -> Any:
    """Build a network by name.

    Args:
        name: one of `list_models()`.
        weights: a tag from the card (``"imagenet"``), a file, or an https address; see `zoo.load_weights`. The network
            is the same with and without: only its numbers differ. Where ``num_classes`` is not given, it is the file's.
        preprocessing: what the weights in a file or at an address were trained on, a name of
            `zoo.preprocessing.PIXELS`; needed for another number of input channels only.
        **options: the builder's own: ``input_shape``, ``num_classes``, ... (``help(zoo.builder(name))``).

    Returns:
        A ``keras.Model`` that returns logits, not yet compiled; its weights are fresh unless `weights` says otherwise.

    Raises:
        UsageError: for an unknown name or option, or a value that the builder cannot use.

    >>> build("lenet5", num_classes=26).output_shape
    (None, 26)
    """
    options = checked_options(name, options)
    if weights is None:
        return _built(name, options)
    model, report = build_from(name, weights, preprocessing, options)
    log.info(report)
    if report.fresh_head and "num_classes" not in options:
        warnings.warn(f"{name}: {report.fresh_head}: give num_classes, and train it", stacklevel=2)
    return model


def build_from(
    name: str, weights: str | Path, preprocessing: str | None, options: Mapping[str, Any]
) -> tuple[Any, "Report"]:
    """A network with weights, and what became of each; with its number of classes where the options have none."""
    file = tags.find(weights, name, options, preprocessing=preprocessing or "")  # one that is missing: before Keras
    model = _built(name, options)
    from zoo.weights.loading import load

    def with_classes(classes: int) -> Any:
        return _built(name, {**options, "num_classes": classes})

    free = "num_classes" in registry.info(name).options and "num_classes" not in options
    return load(model, file, with_classes if free else None)


def _built(name: str, options: Mapping[str, Any]) -> Any:
    """The network with fresh weights."""
    builder = registry.builder(name)
    import keras

    if keras.config.image_data_format() != "channels_last":
        raise UsageError(
            "Keras is set to channels_first, and the networks here have their channels last; expected "
            "keras.config.set_image_data_format('channels_last')"
        )
    try:
        model = builder(**options)
    except UsageError:
        raise
    except Exception as error:  # Keras's own words can run over many lines, and do not name the option
        given = ", ".join(f"{option}={value!r}" for option, value in options.items())
        raise UsageError(f"{name} cannot be built with {given or 'its defaults'}: {first_line(error)}") from error
    if model is None:
        raise UsageError(f"the builder of {name} returned None; expected a keras.Model: end it with `return model`")
    registry.remember(model, name, options)
    return model


def checked_options(name: str, options: Mapping[str, Any], beside: Sequence[str] = ()) -> dict[str, Any]:
    """The options, those that have a new name under it. `beside`: what else a caller may have meant.

    Raises:
        UsageError: if the builder of `name` has no such options.

    >>> checked_options("lenet5", {"droput": 0.5})
    Traceback (most recent call last):
        ...
    zoo.errors.UsageError: there is no option of lenet5 'droput'; did you mean dropout?
    """
    known, checked = registry.info(name).options, {}
    for option, value in options.items():
        new = RENAMED.get(option, option)
        if option not in known and new in known:
            check_one_name(option, new, new in options)
            warn(f"{option} of {name}", new, stacklevel=3)
            option = new
        if option not in known:
            raise unknown(f"option of {name}", option, (*known, *beside))
        checked[option] = value
    return checked


def info(name: str, *, verbose: bool = False) -> Card:
    """The card of a name.

    Args:
        name: one of `list_models()`.
        verbose: build the network and fill in `layers`: output shape, parameters and multiply-adds of each.

    >>> info("lenet5").params
    61706
    >>> sum(layer.multiply_adds for layer in info("lenet5", verbose=True).layers)
    416520
    """
    card = registry.info(name)
    if not verbose:
        return card
    from zoo.introspection.layer_costs import costs  # and with it Keras

    return replace(card, layers=tuple(costs(build(name))))
