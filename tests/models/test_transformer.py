"""The Transformer: its sizes by hand, and the laws that break silently in a Transformer that still trains."""

import keras
import numpy as np
import pytest
import samples
from keras import ops

import zoo
from zoo.decoding import beam_search
from zoo.decoding.base import WholeText, decoder_of
from zoo.layers import attention
from zoo.models import transformer

SMALL = dict(input_shape=(None,), target_shape=(None,), vocabulary_size=12)
NETWORKS = {
    "transformer, post-norm": ("transformer", dict(num_layers=2, dim=16, num_heads=2, mlp_dim=32, max_length=20)),
    "transformer, pre-norm": (
        "transformer",
        dict(num_layers=2, dim=16, num_heads=2, mlp_dim=32, max_length=20, norm="pre"),
    ),
    "transformer, not tied": (
        "transformer",
        dict(num_layers=1, dim=16, num_heads=4, mlp_dim=32, max_length=20, tied=False, positions="learned"),
    ),
    "GRU, additive": ("seq2seq_gru", dict(embedding=8, units=16)),
    "GRU, dot": ("seq2seq_gru", dict(embedding=8, units=16, attention="dot")),
    "GRU, none": ("seq2seq_gru", dict(embedding=8, units=16, attention="none")),
}


@pytest.fixture(scope="module", params=NETWORKS)
def pair(request):
    """A network from source and target to logits, with weights that make it predict many things; and its name."""
    name, options = NETWORKS[request.param]
    return name, lively(zoo.build(name, **SMALL, **options))


def lively(model):
    """Filled, with embeddings of size 1 after their scaling: else the token that was read is the likeliest to come."""
    for variable in samples.fill(model).variables:
        if variable.path.endswith("embeddings"):
            variable.assign(variable * variable.shape[-1] ** -0.5)
    return model


RNG = np.random.default_rng(0)
SOURCE = RNG.integers(4, 12, (4, 7)).astype("int32")
TARGET = RNG.integers(4, 12, (4, 6)).astype("int32")
SOURCE[1, 5:] = 0  # one is shorter


def logits(model, source, target):
    return ops.convert_to_numpy(model({"source": source, "target": target}))


def test_sizes_are_those_of_the_paper():
    """Section 3.2.2: heads as wide as dim / heads. With key_dim=dim the attention has eight times as many numbers."""
    layer = attention.Attention(8, 128)
    layer.build((None, 5, 128), (None, 5, 128))
    assert layer.key_dim == 16 and layer.count_params() == 4 * (128 * 128 + 128) == 66_048
    encoder = 4 * (512 * 512 + 512) + 2 * 512 * 2048 + 2048 + 512 + 2 * 2 * 512
    decoder = encoder + 4 * (512 * 512 + 512) + 2 * 512
    assert 37_000 * 512 + 6 * (encoder + decoder) == zoo.info("transformer").params


def test_attention_is_that_of_a_few_lines_of_numpy():
    layer = attention.Attention(2, 6)
    x, y = RNG.normal(size=(2, 3, 6)).astype("float32"), RNG.normal(size=(2, 4, 6)).astype("float32")
    mask = np.array([[[True, True, False, True]], [[True, False, False, True]]])
    found = ops.convert_to_numpy(layer(x, y, attention_mask=mask))
    for variable in layer.variables:
        variable.assign(RNG.normal(size=variable.shape))
    found = ops.convert_to_numpy(layer(x, y, attention_mask=mask))
    w = {variable.path.split("/", 1)[1]: ops.convert_to_numpy(variable) for variable in layer.variables}
    q, k, v = (
        np.einsum("btd,dhk->bhtk", of, w[f"{part}/kernel"]) + w[f"{part}/bias"][:, None]
        for part, of in (("query", x), ("key", y), ("value", y))
    )
    scores = np.where(mask[:, None], q @ k.swapaxes(-1, -2) / np.sqrt(3), -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    answer = weights / weights.sum(-1, keepdims=True) @ v  # (batch, heads, T, key_dim)
    wanted = np.einsum("bhtk,hkd->btd", answer, w["attention_output/kernel"]) + w["attention_output/bias"]
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_positions_are_those_of_the_paper():
    table = attention.sinusoids(50, 8)
    for position, pair_of in ((0, 0), (7, 2), (49, 3)):
        angle = position / 10_000 ** (2 * pair_of / 8)
        np.testing.assert_allclose(table[position, 2 * pair_of : 2 * pair_of + 2], [np.sin(angle), np.cos(angle)], 1e-5)
    layer = attention.Positions(50, scale=3.0)
    x = RNG.normal(size=(1, 5, 8)).astype("float32")
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x)), 3 * x + table[:5], rtol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x, first=7)), 3 * x + table[7:12], rtol=1e-5)


def test_no_position_sees_what_comes_later(pair):
    """TF's own tutorial once looked ahead, at 100 % accuracy (tensorflow/text, PR #894)."""
    _, model = pair
    before = logits(model, SOURCE, TARGET)
    for position in range(1, TARGET.shape[1]):
        changed = TARGET.copy()
        changed[:, position] = (changed[:, position] - 3) % 8 + 4
        after = logits(model, SOURCE, changed)
        np.testing.assert_array_equal(after[:, :position], before[:, :position])
        assert not np.allclose(after[:, position], before[:, position])


def test_source_and_target_cannot_be_swapped_unnoticed(pair):
    """In keras-io's port to Keras 3 they were, for a year (keras-io, PR #1997): the source is seen whole."""
    _, model = pair
    before = logits(model, SOURCE, TARGET)
    changed = SOURCE.copy()
    changed[0, -1] = 4 + (changed[0, -1] - 3) % 8
    assert not np.allclose(logits(model, changed, TARGET)[0, 0], before[0, 0], atol=1e-6)
    assert not np.allclose(logits(model, TARGET, SOURCE[:, : TARGET.shape[1]]), before, atol=1e-3)


def test_padding_changes_nothing(pair):
    _, model = pair
    source, target = (np.pad(each, [(0, 0), (0, 5)]) for each in (SOURCE, TARGET))
    wanted = logits(model, SOURCE, TARGET)
    np.testing.assert_allclose(logits(model, source, target)[:, : TARGET.shape[1]], wanted, rtol=1e-4, atol=1e-4)
    alone = logits(model, SOURCE[1:2, :5], TARGET[1:2])  # without the padding that it had beside longer ones
    np.testing.assert_allclose(alone[0], wanted[1], rtol=1e-4, atol=1e-4)


def test_different_sources_are_told_apart(pair):
    """Even where the target says nothing yet: keras-io's translator once said the same of all (PR #1968)."""
    _, model = pair
    start = np.full((4, 1), 2, "int32")
    first = logits(model, SOURCE, start)[:, 0]
    assert min(np.abs(a - b).max() for i, a in enumerate(first) for b in first[:i]) > 1e-3


def greedy(model, source, max_length):
    """Greedy search as it is defined: the whole target so far again for each token."""
    target = np.full((len(source), 1), 2, "int32")
    for _ in range(max_length):
        scores = logits(model, source, target)[:, -1].copy()
        scores[:, :3] = -np.inf
        finished = np.isin(target[:, -1], (0, 3))
        tokens = np.where(finished, 0, scores.argmax(-1))[:, None].astype("int32")
        target = np.concatenate([target, tokens], axis=1)
    return target[:, 1:]


def test_decoding_with_a_cache_predicts_the_same_token_for_token(pair):
    name, model = pair
    found = beam_search.Translator(model, name, 9)(SOURCE)
    np.testing.assert_array_equal(found, greedy(model, SOURCE, 9))
    assert len({tuple(row) for row in found}) > 1


@pytest.mark.parametrize("max_length", [9, pytest.param(12, marks=pytest.mark.slow)])
def test_a_family_without_a_decoder_reads_the_whole_target_for_each_token(pair, max_length):
    _, model = pair
    found = beam_search.GreedySearch(WholeText(model), max_length).predict_on_batch(SOURCE)
    np.testing.assert_array_equal(found, greedy(model, SOURCE, max_length))


@pytest.mark.parametrize("norm", ["pre", pytest.param("post", marks=pytest.mark.slow)])
def test_the_blocks_of_a_loaded_file_are_found_again(norm, tmp_path):
    options = dict(num_layers=2, dim=16, num_heads=2, mlp_dim=32, max_length=20, norm=norm)
    model = lively(zoo.build("transformer", **SMALL, **options))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    decoder = transformer.decoder(loaded)
    assert [block.attention.name for block in decoder.blocks] == ["decoder1_attention", "decoder2_attention"]
    assert all(block.attention_residual.norm_first == (norm == "pre") for block in decoder.blocks)
    found = beam_search.GreedySearch(decoder, 9).predict_on_batch(SOURCE)
    np.testing.assert_array_equal(found, greedy(model, SOURCE, 9))


def test_files_and_options_of_version_0_1_have_their_old_words():
    config = attention.Positions(7, kind="learned").get_config()
    old = {"longest" if key == "max_length" else key: value for key, value in config.items()}
    assert attention.Positions.from_config(old).get_config() == config
    options = dict(num_layers=1, dim=16, num_heads=2, mlp_dim=32, max_length=20)
    old = dict(blocks=1, dim=16, heads=2, hidden=32, longest=20)
    with pytest.warns(FutureWarning) as warned:
        model = zoo.build("transformer", **SMALL, **old)
    assert [str(each.message) for each in warned if "transformer" in str(each.message)] == [
        "blocks of transformer is now num_layers",
        "heads of transformer is now num_heads",
        "hidden of transformer is now mlp_dim",
        "longest of transformer is now max_length",
    ]
    assert model.count_params() == zoo.build("transformer", **SMALL, **options).count_params()
    assert model.get_layer("target_positions").max_length == 20
    with pytest.warns(FutureWarning, match=r"now zoo.decoding.beam_search.Translator"):
        assert zoo.decoding.Translator is beam_search.Translator


@pytest.mark.parametrize("which", ["transformer, pre-norm", "GRU, additive"])
def test_one_beam_is_greedy(which):
    name, options = NETWORKS[which]
    model = lively(zoo.build(name, **SMALL, **options))
    decoder = decoder_of(model, name)
    found, scores = beam_search.BeamSearch(decoder, 9, beams=1).predict_on_batch(SOURCE)
    np.testing.assert_array_equal(found, beam_search.GreedySearch(decoder, 9).predict_on_batch(SOURCE))
    assert (scores < 0).all()


def log_probabilities(model, source, targets):
    """Of each target of a source, their ends included, by the network as it was trained."""
    shifted = np.concatenate([np.full((len(targets), 1), 2, "int32"), targets[:, :-1]], axis=1)
    rows = logits(model, np.repeat(source[None], len(targets), axis=0), shifted)
    rows = rows - np.log(np.exp(rows).sum(-1, keepdims=True))
    return (np.take_along_axis(rows, targets[..., None], axis=-1)[..., 0] * (targets != 0)).sum(-1)


def test_a_wide_beam_finds_the_likeliest_of_all():
    """Of six tokens at three positions there are 1 + 5 + 25 x 6 targets: 64 beams miss none."""
    options = dict(num_layers=1, dim=16, num_heads=2, mlp_dim=32, max_length=20)
    model = lively(zoo.build("transformer", **{**SMALL, "vocabulary_size": 9}, **options))
    source = SOURCE[:2] % 5 + 4
    every = np.array(list(targets_of(3)), "int32")
    for penalty in (0.0, 1.0):
        search = beam_search.BeamSearch(transformer.decoder(model), 3, beams=64, penalty=penalty)
        found, scores = search.predict_on_batch(source)
        for row, target, score in zip(source, found, scores):
            of_each = log_probabilities(model, row, every)
            best = np.argmax(of_each / ((5 + np.count_nonzero(every, axis=1)) / 6) ** penalty)
            np.testing.assert_array_equal(target, every[best])
            assert score == pytest.approx(of_each[best], abs=1e-3)


def targets_of(length, before=()):
    """Every target of `length` positions: tokens 3 (the end) to 8, and padding behind an end."""
    if len(before) == length:
        yield before
    elif 3 in before:
        yield before + (0,) * (length - len(before))
    else:
        for token in range(3, 9):
            yield from targets_of(length, (*before, token))


class Scripted:
    """A decoder that predicts the end with .45 or token 5, and after it the end with .7."""

    model = max_length = None

    def start(self, source, batch, max_length):
        return {}, ops.zeros((batch,))

    def step(self, tokens, position, memory, state):
        first, later = (np.log([1e-9, 1e-9, 1e-9, end, 1e-9, 1 - end]).astype("float32") for end in (0.45, 0.7))
        scores = ops.where(position == 0, ops.convert_to_tensor(first), ops.convert_to_tensor(later))
        return ops.tile(scores[None], (ops.shape(tokens)[0], 1)), state


def test_the_length_penalty_lets_longer_ones_win():
    """ln .45 = -.80 beats ln .55 + ln .7 = -.95; divided by (6/6)^2 and (7/6)^2 it does not, -.80 to -.70."""
    beams = [beam_search.BeamSearch(Scripted(), 4, beams=3, penalty=penalty) for penalty in (0, 2)]
    short, long = (beam.predict_on_batch(SOURCE) for beam in beams)
    assert short[0][0].tolist() == [3, 0, 0, 0] and short[1][0] == pytest.approx(np.log(0.45), abs=1e-4)
    assert long[0][0].tolist() == [5, 3, 0, 0] and long[1][0] == pytest.approx(np.log(0.55 * 0.7), abs=1e-4)


def test_maps_are_weights_of_the_forward_pass():
    """Each row sums to 1, nobody looks at padding, and a decoder does not look ahead."""
    model = lively(zoo.build("transformer", **SMALL, **NETWORKS["transformer, pre-norm"][1]))
    maps = attention.attention_weights(model, {"source": SOURCE, "target": TARGET})
    assert len(maps) == 6 and maps["decoder2_cross"].shape == (4, 2, 6, 7)
    for name, weights in maps.items():
        np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-5)
        if "decoder" in name and "cross" not in name:
            assert np.triu(weights, 1).max() == 0
        else:
            assert weights[1, :, :, 5:].max() < 1e-8


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (dict(num_heads=5), "num_heads is 5 and dim 512; expected a whole number of heads that divides it"),
        (dict(norm="before"), "norm is 'before'; expected 'pre'"),
        (dict(positions="none"), "positions are 'none'; expected 'sinusoidal' or 'learned'"),
        (dict(num_layers=0), "num_layers is 0; expected a whole number of at least 1"),
        (dict(input_shape=(30,), max_length=20, num_layers=1), "a sequence has 30 tokens; expected at most 20"),
    ],
)
def test_what_cannot_be_built_is_said_in_one_line(options, says):
    with pytest.raises(zoo.UsageError) as error:
        zoo.build("transformer", vocabulary_size=10, **options)
    assert says in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("settings", [dict(beams=0), dict(beams=True), dict(length_penalty=-1.0)], ids=str)
def test_settings_of_the_search_are_checked(settings):
    model = zoo.build("transformer", **zoo.info("transformer").tiny)
    with pytest.raises(zoo.UsageError, match="expected"):
        beam_search.Translator(model, "transformer", 5, **settings)


def test_one_matrix_serves_three_ends():
    tied = zoo.build("transformer", **SMALL, num_layers=1, dim=16, num_heads=2, mlp_dim=32)
    apart = zoo.build("transformer", **SMALL, num_layers=1, dim=16, num_heads=2, mlp_dim=32, tied=False)
    assert apart.count_params() - tied.count_params() == 2 * 12 * 16
    keras.utils.clear_session(free_memory=False)
