"""From a name to a network: the one way to build.

It stands above the registry, which knows names and cards, and above the weights, which know files.
"""

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import registry
from zoo.checks import is_whole, plain
from zoo.deprecated import check_one_name, warn
from zoo.errors import UsageError, first_line, unknown
from zoo.records import Card
from zoo.weights import tags

if TYPE_CHECKING:
    from zoo.weights.matching import Report

log = logging.getLogger("zoo")

MAX_CLASSES = 10_000_000
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
            is the same with and without: only its numbers differ. Where ``num_classes`` is not given, it is the file's;
            and so are all options of a run (its folder) and all sizes of a GPT-2 or BERT of Hugging Face (a folder,
            ``"hf://openai-community/gpt2"``).
        preprocessing: what the weights in a file or at an address were trained on, a name of
            `zoo.preprocessing.PIXELS`; needed for another number of input channels only.
        **options: the builder's own: ``input_shape``, ``num_classes``, ... (``help(zoo.builder(name))``). And, of every
            network: ``num_classes=0`` for what its head reads, one vector for an image, clip or text; of those with
            maps before the head, ``pool="avg"``, ``"max"`` or ``"gem"`` for these pooled to one vector; ``"avg"`` and
            ``"max"`` for what a network of texts makes of each token.

    Returns:
        A ``keras.Model`` that returns logits, not yet compiled; its weights are fresh unless `weights` says otherwise.

    Raises:
        UsageError: for an unknown name or option, or a value that the builder cannot use.

    >>> build("lenet5", num_classes=26).output_shape
    (None, 26)
    """
    pooled = "pool" in options and "pool" not in registry.info(name).options  # which may be a builder's own
    if options.get("num_classes") == 0 or pooled:
        return _without_head(name, weights, preprocessing, options)
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
    model = _built(name, options) if not file.options else _built_for(file, name, options)
    from zoo.weights.loading import load

    def with_classes(classes: int) -> Any:
        return _built(name, {**file.options, **options, "num_classes": classes})

    free = "num_classes" in registry.info(name).options and "num_classes" not in options
    return load(model, file, with_classes if free else None)


def _built_for(file: tags.WeightsFile, name: str, options: Mapping[str, Any]) -> Any:
    """The network with the options that come with a file, and no more memory than that may need."""
    from zoo.weights.saved_model import SPARE, limited

    with limited(file.path.stat().st_size // 2 + SPARE, file.path):  # bytes of a number, at least
        return _built(name, {**checked_options(name, file.options), **options})


POOLING = ("avg", "max", "gem")


def _without_head(
    name: str, weights: str | Path | None, preprocessing: str | None, options: Mapping[str, Any]
) -> Any:  # fmt: skip
    """The network up to what its head reads, or up to its maps and these pooled."""
    own = registry.info(name).options
    rest = {key: value for key, value in options.items() if key != "num_classes" and (key != "pool" or "pool" in own)}
    pool = None if "pool" in own else options.get("pool")
    if pool is not None and pool not in POOLING:
        raise unknown("pool", pool, POOLING)
    if pool and options.get("num_classes", 0) != 0:
        raise UsageError("pool is for features; expected num_classes=0 or none: the classifiers here have their own")
    maps = pool and "top" in own
    model: Any
    if maps:
        model = build(name, weights=weights, preprocessing=preprocessing, **rest, top=False)
    elif weights is None:
        model = _built(name, checked_options(name, rest))
    else:
        model, _ = build_from(name, weights, preprocessing, checked_options(name, rest))
    import keras

    from zoo.introspection.graph import main_output
    from zoo.optimizers.finetuning import head

    if maps:
        features = _pooled(main_output(model), str(pool))
    elif pool:
        features = _pooled_sequence(model, pool)
    else:
        heads = head(model)
        if len(heads) != 1 or len(keras.tree.flatten(heads[0].input)) != 1:
            raise UsageError(f"{name} has no head that reads one vector; expected zoo.features(model, [LAYER])")
        features = heads[0].input
    cut = keras.Model(model.input, features, name=model.name)
    registry.remember(cut, name, {**rest, "num_classes": 0})
    return cut


def _pooled(maps: Any, pool: str) -> Any:
    """(batch, ..., channels) -> (batch, channels)."""
    from keras import layers

    from zoo.layers.pooling import GeneralizedMeanPooling

    if pool == "gem":
        return GeneralizedMeanPooling(name="pooled")(maps)
    kind = {"avg": "GlobalAveragePooling", "max": "GlobalMaxPooling"}[pool]
    return getattr(layers, f"{kind}{len(maps.shape) - 2}D")(name="pooled")(maps)


def _pooled_sequence(model: Any, pool: str) -> Any:
    """(batch, dim): over the real steps of what a network of texts makes of each of them."""
    from zoo.layers.sequence import PoolSequence

    pooled = [layer for layer in model.layers if isinstance(layer, PoolSequence)]
    if len(pooled) != 1:
        raise UsageError(f"{model.name} has no maps to pool; expected num_classes=0 for what its head reads")
    if pool == "gem":
        raise UsageError(
            f"pool is 'gem', which is for maps of images; {model.name} reads texts: expected 'avg' or 'max'"
        )
    return PoolSequence({"avg": "mean", "max": "max"}[pool], name="pooled")(*pooled[0].input)


def reset_head(model: Any, num_classes: int) -> Any:
    """The same network for another number of classes: a new head, everything else with the weights it has.

    Args:
        model: what `build` made, in this process.
        num_classes: 0 for what the head reads.

    Returns:
        A new ``keras.Model``, not compiled, whose weights are copies.

    Raises:
        UsageError: for any other model, or one whose number of classes is fixed.

    >>> model = build("lenet5")
    >>> reset_head(model, 3).output_shape, reset_head(model, 0).output_shape
    ((None, 3), (None, 84))
    """
    origin = registry.origin(model)
    if origin is None:
        raise UsageError(f"{getattr(model, 'name', model)!r} was not made by zoo.build; expected what it returned")
    name, options = origin
    new = build(name, **{**options, "num_classes": num_classes})
    here = {(layer.name, weight.path): weight for layer in model.layers for weight in layer.weights}
    for layer in new.layers:
        for weight in layer.weights:
            old = here.get((layer.name, weight.path))
            if old is not None and old.shape == weight.shape:
                weight.assign(old)
    return new


def _built(name: str, options: Mapping[str, Any]) -> Any:
    """The network with fresh weights."""
    builder = registry.builder(name)
    check_counts(name, options)
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
    model = _with_ends(model, name)
    registry.remember(model, name, options)
    return model


def _with_ends(model: Any, name: str) -> Any:
    """A `keras.Sequential` as a network that knows its input and output before it is called."""
    import keras

    if not isinstance(model, keras.Sequential):
        return model
    if not model.built:
        raise UsageError(f"the builder of {name} returned a Sequential without an input: give it a keras.Input first")
    return keras.Model(model.inputs[0], model.outputs[0], name=model.name)


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
    """Raise where True stands for a number, which Keras takes for 1, and for what is no number of classes: before the
    network is built, whose last layer it is.

    >>> check_counts("vgg16", {"num_classes": True})
    Traceback (most recent call last):
        ...
    zoo.errors.UsageError: num_classes of vgg16 is True; expected a number, as in num_classes=1000
    """
    for option, default in (getattr(registry.builder(name), "__kwdefaults__", None) or {}).items():
        numeric = isinstance(default, (int, float)) and not isinstance(default, bool)
        if numeric and isinstance(options.get(option), bool):
            raise UsageError(f"{option} of {name} is {options[option]}; expected a number, as in {option}={default}")
        if option == "num_classes" and numeric and not is_whole(options.get(option, default), most=MAX_CLASSES):
            raise UsageError(
                f"{option} of {name} is {options[option]!r}; expected a whole number from 1 to {MAX_CLASSES:,}"
            )


def info(name: str, *, verbose: bool = False) -> Card:
    """The card of a name.

    Args:
        name: one of `list_models()`.
        verbose: build the network, without its numbers, and fill in `layers`: output shape, parameters and
            multiply-adds of each.

    >>> info("lenet5").params
    61706
    >>> sum(layer.multiply_adds for layer in info("lenet5", verbose=True).layers)
    416520
    """
    card = registry.info(name)
    if not verbose:
        return card
    from zoo.introspection.layer_costs import costs  # and with it Keras
    from zoo.introspection.outline import outline

    return replace(card, layers=tuple(costs(outline(partial(_built, name, {})))))
