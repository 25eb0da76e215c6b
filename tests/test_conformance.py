"""The laws that every network of the zoo keeps, over every registered name, in its `tiny` configuration.

A new name is covered as soon as its card exists: nothing here names a network, and only `conftest.py` has names whose
training is left to `-m slow`.
It needs what the first tests ask for: a complete card, a recorded output (`backend_outputs.py` says
how), a `demo` recipe, a test file for its family and a tutorial.
"""

import functools
import inspect
import math
import re
from pathlib import Path

import backend_outputs
import keras
import numpy as np
import pytest
import samples
from keras import ops, tree
from subjects import BACKEND, BATCH, ShortRun, Subject, compiled, gradients, heads, outline

import zoo
from zoo import factory, registry, tasks
from zoo.data import sources
from zoo.introspection import graph
from zoo.optimizers import finetuning, schedules
from zoo.training import run_plan
from zoo.weights import saved_model
from zoo.weights.network_parts import NetworkParts

ROOT = Path(__file__).parent.parent
RANDOM_RATES = ("rate", "dropout", "recurrent_dropout", "_dropout", "stddev")  # of Keras's layers, 0 if not in use


@pytest.fixture(scope="module", params=zoo.list_models())
def subject(request):
    yield Subject(request.param)
    keras.utils.clear_session(free_memory=False)


@functools.cache
def structure(name):
    """What the tiny network of a name is made of."""
    return samples.structure(outline(Subject(name).build)[0])


def twin(name):
    """The first name of the same family with the very same tiny network: siblings may differ at full size only."""
    siblings = (each for each in zoo.list_models() if zoo.info(each).family == zoo.info(name).family)
    return next(each for each in siblings if structure(each) == structure(name))


@pytest.fixture(scope="module")
def network(subject):
    """The subject, unless it is the twin of a name before it. Which one is tested follows from the cards alone, not
    from what this process has seen: the names may be shared out among several."""
    first = twin(subject.name)
    if first != subject.name:
        pytest.skip(f"the tiny network is that of {first}")
    return subject


def same(a, b):
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b))


def close(a, b, tolerance=1e-4):
    """Equal but for the order of float32 sums."""
    assert len(a) == len(b)
    for x, y in zip(a, b):
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance * max(1e-3, np.abs(y).max()))


# The card, and what belongs to a name.


def test_no_name_is_left_out():
    """A broken card would take its name out of all tests below."""
    assert not registry.broken(), "\n".join(map(str, registry.broken().values()))


def test_card_is_complete(subject):
    card = subject.card
    for field in ("summary", "paper", "preprocessing", "inputs", "recipes", "tutorial"):
        assert getattr(card, field), f"the card of {card.name} says nothing under {field}"
    assert all(given.name and given.holds for given in card.inputs)
    assert len({recipe.name for recipe in card.recipes}) == len(card.recipes)
    assert "demo" in {recipe.name for recipe in card.recipes}, "no recipe that runs from an empty machine"
    for recipe in card.recipes:
        named = re.fullmatch(r"[a-z0-9_]+(/[a-z0-9_-]+)?:\d+\.\d+\.\d+", recipe.dataset)
        assert named or not recipe.dataset, "a data set needs its version"
        assert recipe.expected is None or recipe.expected.source


def test_recipes_can_be_carried_out(subject):
    card = subject.card
    task = tasks.get(card.task)
    data = task.data_module
    assert card.preprocessing in data.preprocessings
    for recipe in card.recipes:
        factory.checked_options(subject.name, recipe.model)
        schedules.optimizer(recipe, steps=100)
        run_plan.check_recipe(card, recipe)
        assert set(recipe.preprocess) <= set(data.preprocess) and set(recipe.augment) <= set(data.augment)
        splits = {recipe.train, recipe.validation, recipe.test}
        apart = len(splits) == 3 or "held_out" in recipe.data_options
        assert apart or not data.holds_out(card), "the splits overlap"
        assert not recipe.weights or recipe.weights in {each.tag for each in card.weights}
        assert recipe.expected is None or recipe.expected.metric in (
            task.metric,
            *task.other_metrics,
        )
    assert card.recipe("demo").dataset.partition(":")[0] in sources.embedded(), "the demo needs a network"


def test_task_is_known(subject):
    assert subject.card.task in tasks.names()
    assert samples.sample_of(subject.card).tolerance > 0


def test_name_has_its_recorded_output(subject, request):
    if request.config.getoption("--record"):
        backend_outputs.record(subject.name)
    backend_outputs.check(subject.name, backend_outputs.digests(subject.name))


def test_family_has_its_test_file(subject):
    assert (ROOT / "tests" / "models" / f"test_{subject.card.family}.py").exists()


def test_its_tutorial_speaks_of_it(subject):
    assert re.search(rf"\b{subject.name}\b", (ROOT / "tutorials" / subject.card.tutorial).read_text())


def test_builder_is_a_documented_plain_function(subject):
    builder = zoo.builder(subject.name)
    parameters = inspect.signature(builder).parameters
    assert {parameter.kind for parameter in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}
    assert parameters["name"].default == subject.name == subject.fresh.name
    assert ">>> " in builder.__doc__
    text = documentation(subject.name)
    for section in ("Args:", "Returns:"):
        assert section in text
    rows = re.findall(r"^ {8}([\w, ]+): ", text, flags=re.MULTILINE)
    described = {name for row in rows for name in row.split(", ")}
    assert set(parameters) <= described, f"not described: {sorted(set(parameters) - described)}"


def documentation(name, seen=()):
    """The docstring of a builder, and of those that it refers to for its arguments ("as in `resnet18`")."""
    text = zoo.builder(name).__doc__
    for other in re.findall(r"`(\w+)`", text):
        if other in zoo.list_models() and other not in (name, *seen):
            text += documentation(other, (*seen, name))
    return text


# The network as built.


def test_parameter_counts_are_those_of_the_card(subject):
    def count(weights):
        return sum(math.prod(weight.shape) for weight in weights)

    assert count(subject.full.trainable_weights) == subject.card.params
    assert count(subject.full.non_trainable_weights) == subject.card.non_trainable_params


def test_what_each_layer_costs_is_known(subject, request):
    rows = zoo.costs(subject.full)
    assert not [row.layer for row in rows if row.multiply_adds is None]
    assert sum(row.params for row in rows) == subject.card.params + subject.card.non_trainable_params
    work = sum(row.multiply_adds for row in rows)
    if request.config.getoption("--record"):
        backend_outputs.record_work(subject.name, work)
    assert work == registry.multiply_adds().get(subject.name), "record it: pytest tests/test_conformance.py --record"


def test_inputs_are_those_of_the_card(subject):
    inputs = {tensor.name: (tuple(tensor.shape[1:]), tensor.dtype) for tensor in subject.full.inputs}
    assert inputs == {given.name: (tuple(given.shape), given.dtype) for given in subject.card.inputs}


def test_network_is_flat_and_functional(subject):
    assert isinstance(subject.fresh, keras.src.models.Functional)
    assert not [layer.name for layer in subject.fresh.layers if isinstance(layer, (keras.Model, keras.layers.Lambda))]


def test_no_two_matrices_begin_alike(subject):
    """An initializer that layers share gives all the same numbers, one after another (`zoo.layers.initializers`)."""
    drawn = {}
    for variable in subject.fresh.trainable_variables:
        values = ops.convert_to_numpy(variable)
        if values.ndim > 1 and not subject.name.startswith("fcn8"):  # whose enlarging layers begin as interpolation
            other = drawn.setdefault(values.ravel()[:8].tobytes(), variable.path)
            assert other == variable.path or np.ptp(values) == 0, f"{other} and {variable.path} begin alike"


def test_layer_names_are_readable_and_stable(subject):
    names, again = [[layer.name for layer in model.layers] for model in outline(subject.build, times=2)]
    assert len(set(names)) == len(names)
    assert not [name for name in names if not re.fullmatch(r"[a-z][a-z0-9_]*", name)]
    assert names == again, "some names are Keras's own, which count upward"


def test_seed_decides_weights_and_losses(network):
    short_run, other = network.short_run, ShortRun(network, seed=1, steps=1)
    keras.utils.set_random_seed(0)  # as a user sets it
    again = ShortRun(network, seed=0)
    assert same(again.weights, short_run.weights)
    assert again.losses == short_run.losses
    assert not same(other.weights, short_run.weights)
    assert other.losses[0] != short_run.losses[0]


def test_loss_at_initialisation_is_that_of_knowing_nothing(network):
    x = samples.inputs(network.fresh, batch=32)
    with keras.StatelessScope():  # as in training, and running statistics stay as they are
        outputs = samples.arrays(network.fresh(x, training=True))
    y = samples.targets(network.card, outputs)
    losses = samples.loss_of(network.card, heads(network.fresh))
    for head in heads(network.fresh):
        sample = samples.sample_of(network.card, head)
        loss, output, target = (each[head] if head else each for each in (losses, outputs, y))
        initial = sample.initial_loss(output.shape[-1])
        assert float(loss(target, output)) == pytest.approx(initial, abs=sample.tolerance)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_keeps_a_float32_head(network, policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = network.build()
    finally:
        keras.config.set_dtype_policy(before)
    outputs = model(network.x, training=False)
    assert {keras.backend.standardize_dtype(output.dtype) for output in tree.flatten(outputs)} == {"float32"}
    assert {weight.dtype for weight in model.trainable_weights} == {"float32"}
    assert np.isfinite(float(ops.stop_gradient(network.loss(outputs, network.y))))
    weighted = [layer.compute_dtype for layer in model.layers if layer.weights]
    assert len(weighted) == 1 or policy.removeprefix("mixed_") in weighted, "no layer takes the policy"


# The forward pass, from deterministic weights.


def test_outputs_have_the_batch_and_are_finite(network):
    for batch in (1, 3):
        outputs = network.run(network.filled, samples.inputs(network.filled, batch))
        for output, declared in zip(outputs, network.filled.outputs):
            assert output.shape[0] == batch and len(output.shape) == len(declared.shape)
            assert all(size in (None, found) for size, found in zip(declared.shape[1:], output.shape[1:]))
            assert output.dtype == "float32" and np.isfinite(output).all()


def test_a_key_too_many_changes_nothing(network):
    """Keras took the values of a dictionary in the order of its keys, and this one comes first."""
    if not isinstance(network.x, dict):
        pytest.skip("one input")
    more = {"a_key_too_many": next(iter(network.x.values())), **network.x}
    assert same(network.run(network.filled, more), network.outputs)


def test_features_are_maps_on_the_way_to_the_output(network):
    stages = graph.list_stages(network.filled)
    if not stages:
        pytest.skip("no maps: not a network of convolutions")
    maps = graph.features(network.filled)(network.x)
    assert list(maps) == [stage.name for stage in stages]
    sizes = [tree.flatten(network.x)[0].shape[1] / stage.stride[0] for stage in stages]
    assert sizes == sorted(sizes, reverse=True)
    for stage, size in zip(stages, sizes):
        found = samples.arrays(maps[stage.name])
        assert found.shape[0] in (BATCH, BATCH * len(network.filled.inputs)), "several images may go as one batch"
        assert found.shape[-1] == stage.channels and np.isfinite(found).all()
        assert 1 <= found.shape[1] <= size + 1, "without padding it may be less"
    upto = keras.Model(network.filled.input, network.filled.get_layer(stages[-1].layer).output)
    close([found], [samples.arrays(upto(network.x))], tolerance=1e-6)


def test_samples_of_a_batch_do_not_see_each_other(network):
    other = samples.inputs(network.filled, BATCH, seed=2)
    mixed = tree.map_structure(lambda array, fill: np.concatenate([array[:1], fill[1:]]), network.x, other)
    outputs = network.run(network.filled, mixed)
    close([output[0] for output in outputs], [output[0] for output in network.outputs])
    assert not any(np.allclose(a[1:], b[1:]) for a, b in zip(outputs, network.outputs)), "the input has no effect"


def test_training_differs_from_inference_only_by_dropout_and_batch_statistics(network):
    def differs(model):
        with keras.StatelessScope():  # running statistics stay as they are
            outputs = network.run(model, network.x, training=True)
        inference = network.run(model, network.x)
        return not all(np.allclose(a, b, rtol=1e-4, atol=1e-4 * np.abs(b).max()) for a, b in zip(outputs, inference))

    def may(layer):
        rates = [getattr(layer, attribute, 0) for attribute in RANDOM_RATES]
        return isinstance(layer, keras.layers.BatchNormalization) or any(
            rate for rate in rates if isinstance(rate, float)
        )

    assert differs(network.filled) == any(may(layer) for layer in network.filled.layers)
    if "dropout" in inspect.signature(zoo.builder(network.name)).parameters:
        assert differs(samples.fill(network.build(dropout=0.5)))


def test_eager_graph_and_xla_agree(network):
    model = network.filled
    if BACKEND == "tensorflow":
        import tensorflow as tf

        compiled = [tf.function(model), tf.function(model, jit_compile=True)]
    elif BACKEND == "jax":
        import jax

        variables = [
            [variable.value for variable in part] for part in (model.trainable_variables, model.non_trainable_variables)
        ]
        compiled = [lambda x: jax.jit(model.stateless_call)(*variables, x)[0]]
    else:
        pytest.skip("PyTorch is run eagerly")
    x = tree.map_structure(ops.convert_to_tensor, network.x)
    for function in compiled:
        close(tree.flatten(samples.arrays(function(x))), network.outputs)


# Training.


def test_every_trainable_variable_gets_a_gradient(network):
    model = samples.fill(network.build())
    x = samples.inputs(model, batch=16)
    y = samples.targets(network.card, samples.arrays(model(x)))
    for path, gradient in gradients(model, lambda model: network.loss(model(x, training=True), y)).items():
        assert gradient is not None, f"{path} has no path to the loss"
        assert np.isfinite(gradient).all(), f"the gradient of {path} is not finite"
        assert np.abs(gradient).max() > 0, f"the gradient of {path} is zero"


def test_fit_learns_one_batch_by_heart(network):
    _ = network.trained
    assert network.losses[-1] < network.goal, (
        f"the loss went from {network.short_run.losses[0]} only to {network.losses[-1]}"
    )


# Fine-tuning.


def test_frozen_layers_stay_bit_equal(network):
    model = network.build()
    head = finetuning.head(model)
    assert any(layer.trainable_weights for layer in head), "expected `head` on the card, or a last layer that learns"
    if not any(layer.weights for layer in model.layers if layer not in head):
        pytest.skip("a head and nothing else")
    compiled(zoo.freeze(model), network.card, run_eagerly=True)
    frozen = [v for layer in model.layers if not layer.trainable for v in layer.variables if "seed" not in v.path]
    before, head = samples.arrays([v.value for v in frozen]), samples.arrays([v.value for v in model.trainable_weights])
    model.train_on_batch(network.x, network.y)
    assert frozen and same(samples.arrays([v.value for v in frozen]), before)
    assert not same(samples.arrays([v.value for v in model.trainable_weights]), head)


def test_layerwise_rates_are_those_of_the_updates(network):
    model = samples.fill(network.build())
    found = gradients(model, lambda model: network.loss(model(network.x), network.y))
    before = {v.path: ops.convert_to_numpy(v) for v in model.trainable_variables}
    optimizer = zoo.layerwise(keras.optimizers.SGD(0.5), model, decay=0.5)
    optimizer.build(model.trainable_variables)
    optimizer.apply([ops.convert_to_tensor(found[path]) for path in before], model.trainable_variables)
    blocks, factors = finetuning.trainable_blocks(model), finetuning.learning_rate_multipliers(model, 0.5)
    assert len(set(factors.values())) == len(blocks)
    assert all(factors[v.path] == 1 for layer in blocks[-1] for v in layer.variables)
    for variable in model.trainable_variables:
        wanted = before[variable.path] - 0.5 * factors[variable.path] * found[variable.path]
        if variable.constraint is not None:
            wanted = ops.convert_to_numpy(variable.constraint(ops.convert_to_tensor(wanted)))
        np.testing.assert_allclose(ops.convert_to_numpy(variable), wanted, rtol=1e-4, atol=1e-6)


def optimizer_state(model):
    return samples.arrays([variable.value for variable in model.optimizer.variables])


def test_keras_file_keeps_everything(network, tmp_path):
    model = network.trained
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert loaded.to_json() == model.to_json()  # the network, and what it was compiled with
    assert same(loaded.get_weights(), model.get_weights())
    assert same(optimizer_state(loaded), optimizer_state(model))
    close(network.run(loaded, network.x), network.run(model, network.x), tolerance=1e-6)


def test_a_run_is_opened_by_its_builder(network, tmp_path):
    network.trained.save(tmp_path / "model.keras")
    opened = saved_model.build_and_load(tmp_path / "model.keras", lambda: network.build(seed=1))
    assert same(opened.get_weights(), network.trained.get_weights())


def test_weights_file_keeps_values_and_optimizer_state(network, tmp_path):
    model = network.trained
    model.save_weights(tmp_path / "model.weights.h5")
    other = compiled(network.build(seed=1), network.card)
    other.load_weights(tmp_path / "model.weights.h5")
    assert same(other.get_weights(), model.get_weights())
    assert same(optimizer_state(other), optimizer_state(model))
    close(network.run(other, network.x), network.run(model, network.x), tolerance=1e-6)


# Weights of one network in another.


@pytest.fixture
def classifier(network, tmp_path):
    """The file of a network that sorts images into classes."""
    if network.card.task != "image_classification" or "num_classes" not in network.card.options:
        pytest.skip("sorts no images into classes")
    path = tmp_path / "filled.weights.h5"
    network.filled.save_weights(path)
    return path


def test_another_number_of_classes_replaces_only_the_head(network, classifier):
    classes = tree.flatten(network.filled.output)[0].shape[-1]
    other = network.build(seed=1, num_classes=classes + 1)
    report = zoo.load_weights(other, classifier)
    filled = {variable.path: variable for variable in network.filled.weights}
    (head,) = {path.split("/")[0] for path in report.new}
    assert head == NetworkParts(other).head
    for variable in other.weights:
        values = [ops.convert_to_numpy(each.value) for each in (variable, filled[variable.path])]
        assert variable.path in report.new or np.array_equal(*values)
    again = network.build(seed=1)
    assert not zoo.load_weights(again, classifier).new
    assert same(again.get_weights(), network.filled.get_weights()), "the same number keeps the head"


def test_a_grey_image_gives_the_logits_of_its_copy_in_colour(network, classifier):
    height, width, channels = network.filled.input_shape[1:]
    if channels != 3 or "input_shape" not in network.card.options:
        pytest.skip("has no images in colour")
    grey = network.build(input_shape=(height, width, 1))
    first = next(layer for layer in grey.layers if layer.weights)
    if not isinstance(first, keras.layers.Conv2D):
        pytest.skip("does not begin with a convolution")
    zoo.load_weights(grey, classifier)
    x = np.random.default_rng(0).normal(size=(BATCH, height, width, 1)).astype("float32")
    close(network.run(grey, x), network.run(network.filled, np.repeat(x, 3, axis=-1)))
