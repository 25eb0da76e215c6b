"""From a name to a network: the one way to build.

It stands above the registry, which knows names and cards, and above the weights, which know files.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from zoo import registry
from zoo.checks import plain
from zoo.deprecated import check_one_name, warn
from zoo.errors import UsageError, first_line, unknown
from zoo.records import Card
from zoo.weights import tags

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
            is the same with and without: only its numbers differ.
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
    check_counts(name, options)
    file = None
    if weights is not None:  # a file that is missing is refused before the network is built
        file = tags.find(weights, name, options, preprocessing=preprocessing or "")
    builder = registry.builder(name)
    check_keras()
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
    if file is not None:
        from zoo.weights.loading import load  # and with it Keras

        log.info(load(model, file))
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
        checked[option] = plain(value)
    return checked


def check_keras() -> None:
    """Raise where Keras is set, as by its file keras.json, to what the networks are not written for."""
    import keras

    for setting, wanted in (("image_data_format", "channels_last"), ("floatx", "float32")):
        if (found := getattr(keras.config, setting)()) != wanted:
            raise UsageError(
                f"Keras's {setting} is {found!r}; expected {wanted!r}: set it in keras.json, or by "
                f"keras.config.set_{setting}({wanted!r})"
            )


def check_counts(name: str, options: Mapping[str, Any]) -> None:
    """Raise where True stands for a number, which Keras takes for 1.

    >>> check_counts("vgg16", {"num_classes": True})
    Traceback (most recent call last):
        ...
    zoo.errors.UsageError: num_classes of vgg16 is True; expected a number, as in num_classes=1000
    """
    for option, default in (getattr(registry.builder(name), "__kwdefaults__", None) or {}).items():
        numeric = isinstance(default, (int, float)) and not isinstance(default, bool)
        if numeric and isinstance(options.get(option), bool):
            raise UsageError(f"{option} of {name} is {options[option]}; expected a number, as in {option}={default}")


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
