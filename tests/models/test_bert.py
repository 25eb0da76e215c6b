"""BERT: its sizes by hand, and its logits beside `transformers`' PyTorch model."""

import numpy as np
import pytest
import samples
from keras import ops

import zoo

TINY = dict(input_shape=(None,), vocabulary_size=50, num_layers=2, dim=32, num_heads=4, max_length=12, num_classes=3)
TEXTS = np.random.default_rng(0).integers(1, 50, (3, 9)).astype("int32")
TEXTS[1, 6:] = 0
SEGMENTS = np.array([[0, 0, 0, 0, 1, 1, 1, 1, 1], [0, 0, 1, 1, 1, 1, 0, 0, 0], [0] * 9], "int32")


@pytest.mark.parametrize(
    ("name", "blocks", "d", "published"), [("bert_base", 12, 768, 109_482_240), ("bert_large", 24, 1024, 335_141_888)]
)
def test_sizes_by_hand(name, blocks, d, published):
    """Words, 512 places, 2 segments, a normalisation; 12 d^2 + 13 d for each block; the pooler."""
    assert (30_522 + 512 + 2 + 2) * d + blocks * (12 * d * d + 13 * d) + d * d + d == published
    assert zoo.info(name).params == published + 2 * d + 2, "with a head for two classes"


def theirs():
    """A small model of `transformers` with weights at random, biases and normalisations too."""
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128,
        max_position_embeddings=12, num_labels=3,
    )  # fmt: skip
    model = transformers.BertForSequenceClassification(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3)
        tokens, segments = torch.tensor(TEXTS).long(), torch.tensor(SEGMENTS).long()
        outputs = model(tokens, attention_mask=(tokens > 0).long(), token_type_ids=segments)
        return {key: value.numpy() for key, value in model.state_dict().items()}, outputs.logits.numpy()


def ours(state):
    """The same weights in the zoo's network."""
    model = zoo.build("bert_base", segments=True, **TINY)

    def put(layer, *names):
        """Vectors and tables as they are, matrices (outputs, inputs) turned."""
        values = []
        for name, weight in zip(names, layer.weights):
            value = state[name]
            turned = value.T if value.ndim == 2 and "embeddings" not in name else value
            values.append(turned.reshape(weight.shape))
        layer.set_weights(values)

    def dense(layer, name):
        put(layer, f"{name}.weight", f"{name}.bias")

    words = "bert.embeddings"
    put(model.get_layer("embedding"), f"{words}.word_embeddings.weight")
    put(model.get_layer("positions"), f"{words}.position_embeddings.weight")
    put(model.get_layer("segment"), f"{words}.token_type_embeddings.weight")
    dense(model.get_layer("embedding_norm"), f"{words}.LayerNorm")
    for number in (1, 2):
        at, name = f"bert.encoder.layer.{number - 1}", f"encoder{number}"
        attention = model.get_layer(f"{name}_attention")
        dense(attention.query_dense, f"{at}.attention.self.query")
        dense(attention.key_dense, f"{at}.attention.self.key")
        dense(attention.value_dense, f"{at}.attention.self.value")
        dense(attention.output_dense, f"{at}.attention.output.dense")
        dense(model.get_layer(f"{name}_attention_norm"), f"{at}.attention.output.LayerNorm")
        dense(model.get_layer(f"{name}_mlp_in"), f"{at}.intermediate.dense")
        dense(model.get_layer(f"{name}_mlp_out"), f"{at}.output.dense")
        dense(model.get_layer(f"{name}_mlp_norm"), f"{at}.output.LayerNorm")
    dense(model.get_layer("pooler"), "bert.pooler.dense")
    dense(model.get_layer("logits"), "classifier")
    return model


def test_logits_are_those_of_transformers():
    state, wanted = theirs()
    found = ops.convert_to_numpy(ours(state)({"tokens": TEXTS, "segments": SEGMENTS}))
    assert wanted.std() > 0.3
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_without_segments_all_belong_to_the_first():
    alone = samples.fill(zoo.build("bert_base", **TINY))
    both = samples.fill(zoo.build("bert_base", segments=True, **TINY))
    both.set_weights(alone.get_weights())
    found = both({"tokens": TEXTS, "segments": np.zeros_like(TEXTS)})
    np.testing.assert_allclose(ops.convert_to_numpy(found), ops.convert_to_numpy(alone(TEXTS)), rtol=1e-5, atol=1e-5)


def test_padding_changes_nothing():
    model = samples.fill(zoo.build("bert_base", **TINY))
    wanted = ops.convert_to_numpy(model(TEXTS))
    padded = ops.convert_to_numpy(model(np.pad(TEXTS, [(0, 0), (0, 3)])))
    alone = ops.convert_to_numpy(model(TEXTS[1:2, :6]))
    np.testing.assert_allclose(padded, wanted, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(alone[0], wanted[1], rtol=1e-4, atol=1e-4)
