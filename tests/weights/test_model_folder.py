"""GPT-2 and BERT as the package `transformers` saves them (`benchmarks/record_transformers.py` wrote these)."""

import json
import re
import shutil
import sys
import types
from pathlib import Path

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import zoo
from zoo.data.text.vocabulary import PretrainedVocabulary
from zoo.weights import model_folder

RECORDED = Path(__file__).parents[1] / "recorded" / "transformers"
GPT2, BERT = RECORDED / "gpt2", RECORDED / "bert"
EXPECTED = {folder.name: json.loads((folder / "expected.json").read_text()) for folder in (GPT2, BERT)}


def error(action):
    with pytest.raises(zoo.UsageError) as caught:
        action()
    text = str(caught.value)
    assert "\n" not in text
    return text


def outputs(model, tokens):
    return keras.ops.convert_to_numpy(model(np.array(tokens), training=False))


@pytest.fixture
def copy(tmp_path):
    """A function that makes a folder of a model with another config, or with other arrays."""

    def make(folder, change=lambda arrays: arrays, **config):
        target = Path(shutil.copytree(folder, tmp_path / "model"))
        path = target / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | config))
        save_file(change(load_file(target / "model.safetensors")), target / "model.safetensors")
        return target

    return make


def test_gpt2_answers_as_transformers_does():
    model = zoo.build("gpt2", weights=GPT2)
    found = outputs(model, EXPECTED["gpt2"]["tokens"])[:, -1]
    np.testing.assert_allclose(found, EXPECTED["gpt2"]["outputs"], rtol=1e-4, atol=1e-5)


def test_bert_answers_as_transformers_does():
    model = zoo.build("bert_base", weights=BERT)
    assert model.output_shape == (None, 3)  # the file's number of classes
    found = outputs(model, EXPECTED["bert"]["tokens"])
    np.testing.assert_allclose(found, EXPECTED["bert"]["outputs"], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(hidden(model), EXPECTED["bert"]["hidden"], rtol=1e-4, atol=1e-5)


def hidden(model):
    """What the last block makes of each token of the third text, which has no padding."""
    steps = zoo.features(model, ["encoder2_mlp_norm"])
    (found,) = keras.tree.flatten(steps(np.array(EXPECTED["bert"]["tokens"]), training=False))
    return keras.ops.convert_to_numpy(found)[2]


def test_heads_that_are_paired_wrongly_answer_otherwise():
    """The arrays fit two heads as well as four: only the config tells."""
    right = zoo.build("bert_base", weights=BERT)
    wrong = zoo.build("bert_base", **{**right_options(), "num_heads": 2})
    for ours, theirs in zip(wrong.weights, right.weights):
        assert ours.path == theirs.path
        ours.assign(keras.ops.reshape(theirs, ours.shape))
    assert np.abs(hidden(wrong) - hidden(right)).max() > 0.01
    assert "num_heads=4 and num_heads is 2; build with num_heads=4" in error(lambda: zoo.load_weights(wrong, BERT))
    assert "build with num_heads=4" in error(lambda: zoo.build("bert_base", weights=BERT, num_heads=2))


def right_options():
    return {**model_folder.find(BERT).options, "input_shape": (None,), "num_classes": 3}


@pytest.mark.parametrize("prefix", ["", "bert."])
def test_names_with_and_without_prefix_and_of_old(copy, prefix):
    def renamed(arrays):
        names = {key: prefix + key.removeprefix("bert.") if key.startswith("bert.") else key for key in arrays}
        names = {key: re.sub(r"LayerNorm\.weight$", "LayerNorm.gamma", name) for key, name in names.items()}
        names = {key: re.sub(r"LayerNorm\.bias$", "LayerNorm.beta", name) for key, name in names.items()}
        return {names[key]: array for key, array in arrays.items()}

    model = zoo.build("bert_base", weights=copy(BERT, renamed))
    found = outputs(model, EXPECTED["bert"]["tokens"])
    np.testing.assert_allclose(found, EXPECTED["bert"]["outputs"], rtol=1e-4, atol=1e-5)


def test_a_head_for_pretraining_is_left_and_a_new_one_is_said(copy):
    def pretraining(arrays):
        kept = {key: array for key, array in arrays.items() if not key.startswith("classifier")}
        return kept | {"cls.predictions.bias": np.zeros(60, "float32")}

    with pytest.warns(UserWarning, match="no head in the file"):
        model = zoo.build("bert_base", weights=copy(BERT, pretraining))
    assert model.output_shape == (None, 2)


def test_a_tied_head_is_taken_if_it_is_the_same(copy):
    def with_head(change):
        return lambda arrays: arrays | {"lm_head.weight": arrays["transformer.wte.weight"] + change}

    folder = copy(GPT2, with_head(0))
    zoo.build("gpt2", weights=folder)
    arrays = load_file(folder / "model.safetensors")
    save_file(arrays | {"lm_head.weight": arrays["lm_head.weight"] + 1}, folder / "model.safetensors")
    assert "has a head of its own beside the embedding" in error(lambda: zoo.build("gpt2", weights=folder))


BAD = {
    "another activation": (BERT, {"hidden_act": "relu"}, "has hidden_act 'relu'; the network here has 'gelu'"),
    "another epsilon": (GPT2, {"layer_norm_epsilon": 1e-3}, "layer_norm_epsilon 0.001"),
    "a wider MLP": (GPT2, {"n_inner": 64}, "has an MLP of 64; the network here has one of 4 x 8"),
    "another kind": (GPT2, {"model_type": "llama"}, "is of the kind 'llama'; expected one of gpt2, bert"),
    "a size that is text": (GPT2, {"n_head": "2"}, "has num_heads '2'; expected a whole number"),
    "fewer blocks": (GPT2, {"n_layer": 1}, "block2_attention"),
    "more positions": (GPT2, {"n_positions": 17}, "positions/embeddings is (16, 8) there and (17, 8) here"),
}


@pytest.mark.parametrize("case", BAD)
def test_another_model_is_one_line(copy, case):
    folder, config, expected = BAD[case]
    name = "gpt2" if folder == GPT2 else "bert_base"
    assert expected in error(lambda: zoo.build(name, weights=copy(folder, **config)))


def test_another_family_and_what_is_no_model(tmp_path):
    assert "is of a bert; gpt2 is none" in error(lambda: zoo.build("gpt2", weights=BERT))
    (tmp_path / "config.json").write_text("[]")
    assert "is not the config of a model of transformers" in error(lambda: zoo.build("gpt2", weights=tmp_path))
    (tmp_path / "config.json").write_text((GPT2 / "config.json").read_text())
    assert "there is no model.safetensors" in error(lambda: zoo.build("gpt2", weights=tmp_path))


def test_lacking_and_strange_arrays_are_named(copy):
    lacking = copy(BERT, lambda arrays: {key: a for key, a in arrays.items() if "layer.1.output.dense.bias" not in key})
    assert "lacks encoder.layer.1.output.dense.bias" in error(lambda: zoo.build("bert_base", weights=lacking))
    arrays = load_file(GPT2 / "model.safetensors") | {"h.0.crossattention.weight": np.zeros((8, 8), "float32")}
    save_file(arrays, lacking / "model.safetensors")
    (lacking / "config.json").write_text((GPT2 / "config.json").read_text())
    assert "has h.0.crossattention.weight" in error(lambda: zoo.build("gpt2", weights=lacking))


# Tokenizers


def test_token_ids_are_those_of_the_tokenizer():
    pytest.importorskip("tokenizers")
    vocabulary = PretrainedVocabulary.open(BERT / "tokenizer.json")
    texts, rows = EXPECTED["bert"]["texts"], EXPECTED["bert"]["tokens"]
    for text, row in zip(texts, rows):
        assert vocabulary.encode(text).tolist() == [token for token in row if token]
    short = vocabulary.encode_within(texts[2], 6)
    assert (short[:5].tolist(), short[-1]) == (rows[2][:5], 3)  # [SEP] closes it
    assert len(vocabulary.encode(" ")) == 0
    again = PretrainedVocabulary.from_config(vocabulary.get_config())
    assert again.encode(texts[0]).tolist() == vocabulary.encode(texts[0]).tolist()


def test_what_is_no_tokenizer_is_one_line(tmp_path):
    pytest.importorskip("tokenizers")
    for text in ("{}", "nothing", '{"model": 1}'):
        (tmp_path / "tokenizer.json").write_text(text)
        assert "is not a tokenizer" in error(lambda: PretrainedVocabulary.open(tmp_path / "tokenizer.json"))


# What is done with them


def test_sentence_vectors_are_means_over_the_tokens():
    pytest.importorskip("tokenizers")
    texts = EXPECTED["bert"]["texts"]
    found = zoo.sentence_vectors(texts, BERT, normalized=False)
    model = zoo.build("bert_base", weights=BERT)
    steps = zoo.features(model, ["encoder2_mlp_norm"])
    for text, vector in zip(texts, found):
        tokens = PretrainedVocabulary.open(BERT / "tokenizer.json").encode(text)[None]
        alone = keras.tree.flatten(steps(tokens, training=False))[0]
        np.testing.assert_allclose(vector, np.mean(keras.ops.convert_to_numpy(alone)[0], axis=0), rtol=1e-4, atol=1e-5)
    norms = np.linalg.norm(zoo.sentence_vectors(texts[0], BERT), axis=1)
    np.testing.assert_allclose(norms, [1.0], rtol=1e-6)
    assert "text 2 ('') holds no tokens" in error(lambda: zoo.sentence_vectors(["a", ""], BERT))
    assert "without a tokenizer" in error(lambda: zoo.sentence_vectors(["a"], "missing"))


def test_a_text_is_continued():
    pytest.importorskip("tokenizers")
    settings = dict(weights=GPT2, length=6, temperature=0)
    found = "".join(zoo.generate("gpt2", "The cat", **settings))
    vocabulary = PretrainedVocabulary.open(GPT2 / "tokenizer.json")
    model = zoo.build("gpt2", weights=GPT2)
    tokens = vocabulary.encode("The cat").tolist()
    for _ in range(6):
        tokens.append(int(outputs(model, [tokens])[0, -1].argmax()))
    expected = vocabulary.decode(tokens).removeprefix("The cat")
    assert found == expected[: len(found)] and found  # bytes that are no whole character are held back
    assert "expected the folder of a run, or weights" in error(lambda: zoo.generate("gpt2", "The cat"))


@pytest.mark.slow
def test_fine_tuning_keeps_the_tokenizer(tmp_path):
    pytest.importorskip("tokenizers")
    rng = np.random.default_rng(0)
    for name, animal in {"cats": "cat", "dogs": "dog"}.items():
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(12):
            words = " ".join(rng.choice(["sat", "on", "the", "mat"], size=4))
            (tmp_path / "data" / name / f"{number}.txt").write_text(f"the {animal} {words} {number}")
    how = dict(weights=BERT, data=tmp_path / "data", epochs=1, length=12, verbose=0)
    run = zoo.train("bert_base", run=tmp_path / "run", **how)
    assert run.config["options"]["num_layers"] == 2
    shutil.move(tmp_path / "data", tmp_path / "elsewhere")
    (line,) = zoo.predict(run, "the cat sat")
    assert "cats" in line and "dogs" in line
    bare = tmp_path / "bare"
    shutil.copytree(BERT, bare)
    (bare / "tokenizer.json").unlink()
    how |= dict(weights=bare, data=tmp_path / "elsewhere")
    assert "there is no tokenizer.json beside" in error(lambda: zoo.train("bert_base", run=tmp_path / "two", **how))
    assert not (tmp_path / "two").exists()


# The hub


@pytest.fixture
def hub(monkeypatch):
    """The hub's client, which notes what it is asked for and has one model."""
    asked = []

    def snapshot_download(repository, **how):
        asked.append((repository, how["revision"], how["local_files_only"]))
        if repository != "zoo/small":
            raise OSError("404: no such repository")
        return str(GPT2)

    monkeypatch.setitem(sys.modules, "huggingface_hub", types.SimpleNamespace(snapshot_download=snapshot_download))
    return asked


def test_an_address_of_the_hub(hub, monkeypatch):
    model = zoo.build("gpt2", weights="hf://zoo/small@v1")
    assert model.get_layer("embedding").input_dim == 300
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    assert "hf://zoo/other cannot be fetched: 404" in error(lambda: zoo.build("gpt2", weights="hf://zoo/other"))
    assert hub == [("zoo/small", "v1", False), ("zoo/other", None, True)]
    assert "expected hf://owner/name" in error(lambda: zoo.build("gpt2", weights="hf://gpt2"))


def test_a_text_asks_the_hub_once(hub):
    pytest.importorskip("tokenizers")
    assert "".join(zoo.generate("gpt2", "The cat", weights="hf://zoo/small", length=3, temperature=0))
    assert hub == [("zoo/small", None, False)]


def test_without_the_client(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert "pip install huggingface_hub" in error(lambda: zoo.build("gpt2", weights="hf://zoo/small"))
