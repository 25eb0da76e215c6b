"""Freezing, unfreezing, layer-wise rates, LoRA: what the conformance suite does not ask of every name."""

import keras
import numpy as np
import pytest

import zoo
from zoo.introspection import graph
from zoo.optimizers import finetuning

SMALL = {"input_shape": (16, 16, 3), "num_classes": 3}


def trained(model, optimizer="sgd", **options):
    """One step."""
    rng = np.random.default_rng(0)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), **options)
    model.train_on_batch(rng.normal(size=(4, *model.input_shape[1:])).astype("float32"), np.array([0, 1, 2, 0]))
    return model


def changed(model, before):
    return {v.path for v, old in zip(model.variables, before) if not np.array_equal(keras.ops.convert_to_numpy(v), old)}


def values(model):
    return [keras.ops.convert_to_numpy(variable) for variable in model.variables]


def test_freezing_up_to_a_layer_or_a_stage():
    by_layer = zoo.freeze(zoo.build("resnet20", **SMALL), until="conv3_block3_out")
    by_stage = zoo.freeze(zoo.build("resnet20", **SMALL), until="stride2")
    learning = [layer.name for layer in by_layer.layers if layer.weights and layer.trainable]
    assert learning == [layer.name for layer in by_stage.layers if layer.weights and layer.trainable]
    assert all(name.startswith(("conv4", "logits")) for name in learning) and len(learning) > 6


def test_a_branch_beside_the_frozen_layer_goes_on_learning():
    model = zoo.freeze(zoo.build("resnet20", **SMALL), until="conv3_block1_1_conv")
    assert not model.get_layer("conv2_block3_2_conv").trainable
    assert model.get_layer("conv3_block1_2_conv").trainable


def test_unfreezing_leaves_the_statistics_unless_asked():
    model = zoo.unfreeze(zoo.freeze(zoo.build("resnet20", **SMALL)))
    before = values(model)
    moved = changed(trained(model), before)
    assert not [path for path in moved if "_bn/" in path] and any("conv2" in path for path in moved)
    zoo.unfreeze(model, batch_norm=True)
    before = values(model)
    assert [path for path in changed(trained(model), before) if "moving_mean" in path]


def test_unfreezing_since_a_layer():
    model = zoo.unfreeze(zoo.freeze(zoo.build("resnet20", **SMALL)), since="conv4_block3_1_conv")
    convolutions = [layer.name for layer in model.layers if layer.trainable_weights]
    assert convolutions == ["conv4_block3_1_conv", "conv4_block3_2_conv", "logits"]


def test_what_was_never_frozen_is_not_frozen_by_unfreezing():
    model = zoo.unfreeze(zoo.freeze(zoo.build("resnet20", **SMALL), until="stride1"))
    assert model.get_layer("conv4_block1_1_bn").trainable and not model.get_layer("conv2_block1_1_bn").trainable


def learning(model):
    return [layer.name for layer in model.layers if layer.weights and layer.trainable]


def tiny(name, **options):
    return zoo.build(name, **{**zoo.info(name).tiny, **options})


@pytest.mark.parametrize(
    ("model", "left"),
    [
        (lambda: tiny("vgg16", top=False), []),
        (lambda: tiny("resnet20", top=False), []),
        (lambda: zoo.features(tiny("vgg16")), []),
        (lambda: zoo.features(tiny("vgg16"), ["stride4"]), []),
        (lambda: tiny("gpt"), ["embedding"]),  # tied: it makes the logits
        (lambda: tiny("transformer"), ["embedding"]),
        (lambda: tiny("lenet5_1998"), ["f6", "distances"]),
        (lambda: tiny("siamese"), ["logits"]),
        (lambda: keras.models.clone_model(tiny("gpt")), ["embedding"]),
        (lambda: keras.models.clone_model(tiny("triplet_inputs")), ["logits"]),  # as from a file: the name tells
        (lambda: other("ResNet50", classes=3), ["predictions"]),  # has our name, and other layers
        (lambda: other("MobileNet", include_top=False, pooling="avg"), []),
        (lambda: other("MobileNet", classes=3), ["conv_preds"]),
    ],
)
def test_all_but_the_head_is_frozen(model, left):
    assert learning(zoo.freeze(model())) == left


def other(name, **options):
    return getattr(keras.applications, name)(weights=None, input_shape=(32, 32, 3), **options)


def test_what_a_card_calls_fixed_stays_fixed():
    model = tiny("adain")
    assert [layer.name for layer in model.layers if not layer.trainable] == list(zoo.info("adain").fixed)
    before = learning(model)
    assert learning(zoo.unfreeze(zoo.freeze(model))) == before == learning(zoo.unfreeze(tiny("adain")))
    assert learning(zoo.unfreeze(keras.models.clone_model(zoo.freeze(model)), batch_norm=True)) == before


def test_unknown_places():
    model = zoo.build("lenet5")
    with pytest.raises(zoo.UsageError, match="no layer or stage of lenet5 'c33'; did you mean c3"):
        zoo.freeze(model, until="c33")
    with pytest.raises(zoo.UsageError, match="decay is 0; expected a number above 0 and at most 1"):
        zoo.layerwise(keras.optimizers.SGD(), model, decay=0)
    with pytest.raises(zoo.UsageError, match="global_clipnorm"):
        zoo.layerwise(keras.optimizers.SGD(global_clipnorm=1.0), model)


def test_blocks_are_residual_blocks_and_inception_blocks():
    def ends(name, **options):
        return [block[-1].name for block in graph.blocks(zoo.build(name, **options))]

    assert len(ends("resnet20")) == 1 + 9 + 1
    assert ends("vgg16_small", width=0.125, input_shape=(32, 32, 3))[-1] == "predictions"
    auxiliary = graph.blocks(zoo.build("inception_v1", **zoo.info("inception_v1").tiny))
    assert not [layer.name for block in auxiliary for layer in block if "auxiliary" in layer.name]


def test_auxiliary_heads_are_on_no_way_to_the_output():
    """`model.outputs` are sorted by name, "auxiliary1" before "logits": the main output is the first as written."""
    model = zoo.build("inception_v1", auxiliary=True, width=0.25, num_classes=3, input_shape=(65, 65, 3))
    blocks = graph.blocks(model)
    assert [layer.name for layer in blocks[-1]] == ["logits"]
    assert not [layer.name for block in blocks for layer in block if layer.name.startswith("auxiliary")]
    zoo.freeze(model)
    assert all(
        layer.trainable == layer.name.startswith(("auxiliary", "logits")) for layer in model.layers if layer.weights
    )


def test_old_names_work_with_a_warning():
    model = zoo.build("lenet5")
    with pytest.warns(FutureWarning, match="learning_rate_multipliers"):
        assert finetuning.rates(model, 0.5) == finetuning.learning_rate_multipliers(model, 0.5)
    with pytest.warns(FutureWarning, match="trainable_blocks"):
        assert finetuning.learning_blocks(model) == finetuning.trainable_blocks(model)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = finetuning.nothing


@pytest.mark.parametrize("optimizer", [keras.optimizers.SGD(0.1), keras.optimizers.AdamW(1e-3, weight_decay=0.1)])
def test_weight_decay_shrinks_with_the_rate(optimizer):
    """Where gradients are zero only the decay acts: w <- w (1 - rate x decay)."""
    model = zoo.build("lenet5")
    slowed = zoo.layerwise(optimizer, model, decay=0.5)
    before = values(model)
    slowed.build(model.trainable_variables)
    slowed.apply([keras.ops.zeros(v.shape) for v in model.trainable_variables], model.trainable_variables)
    decay = optimizer.weight_decay or 0.0
    for variable, old in zip(model.variables, before):
        factor = (
            1 - float(optimizer.learning_rate) * finetuning.learning_rate_multipliers(model, 0.5)[variable.path] * decay
        )
        np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), old * factor, rtol=1e-6)


def test_weight_decay_spares_what_was_excluded():
    """At a gradient of zero only the decay acts."""
    model = tiny("bert_base")
    spared = finetuning.without_decay(model)
    assert {v.path for v in spared} == {v.path for v in model.trainable_variables if not v.path.endswith("kernel")}, (
        "biases, gamma and beta, the tables of tokens, positions and segments"
    )
    optimizer = keras.optimizers.AdamW(1e-2, weight_decay=0.1)
    optimizer.exclude_from_weight_decay(spared)
    slowed = zoo.layerwise(optimizer, model)
    before = values(model)
    slowed.build(model.trainable_variables)
    slowed.apply([keras.ops.zeros(v.shape) for v in model.trainable_variables], model.trainable_variables)
    moved = changed(model, before)
    assert moved == {v.path for v in model.trainable_variables if v.path.endswith("kernel")}


def test_a_layer_of_a_transformer_is_one_block():
    """So that the embedding of BERT-base learns at 0.8 ** 14 of the rate, as in ELECTRA's and BERT's fine-tuning."""
    model = zoo.build("bert_base", **{**zoo.info("bert_base").tiny, "num_layers": 12})
    rates = finetuning.learning_rate_multipliers(model, 0.8)
    assert rates["embedding/embeddings"] == rates["positions/embeddings"] == pytest.approx(0.8**14)
    assert rates["encoder12_attention/query/kernel"] == rates["encoder12_mlp_out/kernel"] == pytest.approx(0.8**2)
    assert [len(graph.blocks(tiny(name))) for name in ("gpt", "transformer_classifier")] == [3, 3]


def test_any_optimizer_that_compile_takes():
    model = zoo.build("lenet5")
    assert type(zoo.layerwise("adamw", model).optimizers[0]) is keras.optimizers.AdamW
    with pytest.raises(zoo.UsageError, match=r"the optimizer is 'adm'; expected one of keras\.optimizers, or its name"):
        zoo.layerwise("adm", model)


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="a strategy of TensorFlow's")
def test_layerwise_inside_a_strategy():
    import tensorflow as tf

    with tf.distribute.MirroredStrategy(["CPU:0"]).scope():
        model = zoo.build("lenet5", num_classes=3)
        optimizer = zoo.layerwise(keras.optimizers.SGD(0.1), model, decay=0.5)
        rates = {round(float(each.get_config()["learning_rate"]), 5) for each in optimizer.optimizers}
        assert rates == {0.1, 0.05, 0.025, 0.0125, 0.00625}
        trained(model, optimizer)


def test_schedules_are_scaled_and_saved(tmp_path):
    model = zoo.build("lenet5", num_classes=3)
    cosine = keras.optimizers.schedules.CosineDecay(0.1, 100)
    trained(model, zoo.layerwise(keras.optimizers.SGD(cosine, momentum=0.9), model, decay=0.5))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    for one, two in zip(model.optimizer.optimizers, again.optimizer.optimizers):
        assert float(one.learning_rate) == float(two.learning_rate)
    slowest = min(float(each.learning_rate) for each in again.optimizer.optimizers)
    assert slowest == pytest.approx(float(cosine(1)) * 0.5**4, rel=1e-5)
    for one, two in zip(model.optimizer.variables, again.optimizer.variables):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(one), keras.ops.convert_to_numpy(two))
