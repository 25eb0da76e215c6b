"""Low-rank adapters: where they stand, what they change, and that merging and saving keep the outputs."""

import keras
import numpy as np
import pytest

import zoo

GPT = {"input_shape": (8,), "num_layers": 2, "dim": 16, "num_heads": 2, "vocabulary_size": 11, "max_length": 8}
SMALL = {"input_shape": (16, 16, 3), "num_classes": 3}
TOKENS = np.random.default_rng(0).integers(1, 11, (3, 8)).astype("int32")
IMAGES = np.random.default_rng(0).normal(size=(4, 16, 16, 3)).astype("float32")


def adapted(model):
    return sorted({weight.path.rpartition("/lora")[0] for weight in model.trainable_weights if "lora" in weight.path})


def outputs(model, x):
    return keras.ops.convert_to_numpy(model(x, training=False))


def perturbed(model):
    """Thin matrices that are not zero, as after training."""
    rng = np.random.default_rng(1)
    for weight in model.trainable_weights:
        if "lora" in weight.path:
            weight.assign(rng.normal(size=weight.shape, scale=0.3))
    return model


def test_adapters_stand_beside_the_projections_of_attention():
    """Hu 2021, section 4.2: W_q, W_k, W_v and W_o; the MLP is frozen."""
    model = zoo.lora(zoo.build("gpt", **GPT), rank=2)
    parts = ("attention_output", "key", "query", "value")
    assert adapted(model) == [f"block{number}_attention/{part}" for number in (1, 2) for part in parts]
    assert all("lora" in weight.path for weight in model.trainable_weights), "the tied embedding is frozen"
    assert [weight.shape[-1] for weight in model.trainable_weights if weight.path.endswith("_a")] == [2] * 8


def test_the_head_of_a_classifier_learns_beside_them():
    model = zoo.lora(zoo.build("bert_base", **zoo.info("bert_base").tiny))
    assert [weight.path for weight in model.trainable_weights if "lora" not in weight.path] == [
        "logits/kernel",
        "logits/bias",
    ]


@pytest.mark.parametrize(
    ("targets", "found"),
    [
        (["query", "value"], ["block1_attention/query", "block1_attention/value", "block2_attention/query",
                              "block2_attention/value"]),
        ("block2_attention/*", [f"block2_attention/{part}" for part in ("attention_output", "key", "query", "value")]),
        (["block1_mlp_*", "block1_attention/key"], ["block1_attention/key", "block1_mlp_in", "block1_mlp_out"]),
    ],
)  # fmt: skip
def test_targets_are_names(targets, found):
    model = zoo.lora(zoo.build("gpt", **GPT), targets=targets)
    assert adapted(model) == found
    assert all("lora" in weight.path for weight in model.trainable_weights)


@pytest.mark.parametrize(
    ("name", "options", "x"), [("gpt", GPT, TOKENS), ("lenet5", {"input_shape": (16, 16, 3)}, IMAGES)]
)
def test_merged_and_saved_networks_compute_the_same(name, options, x, tmp_path):
    plain = zoo.build(name, **options)
    before, shapes = outputs(plain, x), [tuple(weight.shape) for weight in plain.weights]
    model = zoo.lora(plain, rank=2)
    np.testing.assert_allclose(outputs(model, x), before, rtol=1e-5, atol=1e-6)
    changed = outputs(perturbed(model), x)
    assert np.abs(changed - before).max() > 1e-2
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "x.weights.h5")
    np.testing.assert_allclose(outputs(keras.saving.load_model(tmp_path / "model.keras"), x), changed, atol=2e-5)
    zoo.merge_lora(model)
    assert [tuple(weight.shape) for weight in model.weights] == shapes
    np.testing.assert_allclose(outputs(model, x), changed, atol=2e-5)
    again = zoo.build(name, **options, weights=tmp_path / "x.weights.h5")
    np.testing.assert_allclose(outputs(again, x), changed, atol=2e-5)
    assert adapted(zoo.lora(model)), "a second time"


def test_only_adapters_and_the_head_move():
    model = zoo.build("resnet20", **SMALL)
    whole = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    zoo.lora(model, rank=2)
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) < whole / 5
    before = [keras.ops.convert_to_numpy(variable) for variable in model.variables]
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.train_on_batch(IMAGES, np.array([0, 1, 2, 0]))
    moved = [
        variable.path
        for variable, old in zip(model.variables, before)
        if not np.array_equal(keras.ops.convert_to_numpy(variable), old)
    ]
    assert moved and all("lora" in path or "logits" in path for path in moved)


def test_recurrent_kernels_are_said_to_be_out():
    tiny = zoo.info("gru_lm").tiny
    with pytest.warns(UserWarning, match="gru1: Keras has no thin matrices for recurrent kernels"):
        assert adapted(zoo.lora(zoo.build("gru_lm", **tiny))) == ["embedding"]
    with pytest.raises(zoo.UsageError, match=r"targets has gru1.*recurrent kernels; expected names of other layers"):
        zoo.lora(zoo.build("gru_lm", **tiny), targets=["gru*"])


def test_what_cannot_be_is_refused():
    with pytest.raises(zoo.UsageError, match="rank is 0; expected a whole number of at least 1"):
        zoo.lora(zoo.build("lenet5"), rank=0)
    with pytest.raises(zoo.UsageError, match="no kernel before the head of lenet5 'queri'"):
        zoo.lora(zoo.build("lenet5"), targets=["queri"])
    with pytest.raises(zoo.UsageError, match="has nothing for thin matrices before its head"):
        zoo.lora(zoo.build("softmax_regression"))
    with pytest.raises(zoo.UsageError, match="has thin matrices already"):
        zoo.lora(zoo.lora(zoo.build("lenet5")))
    with pytest.raises(zoo.UsageError, match="has no thin matrices"):
        zoo.merge_lora(zoo.build("lenet5"))
