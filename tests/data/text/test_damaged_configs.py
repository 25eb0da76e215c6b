"""What a damaged run folder says of its vocabulary is refused, and not asked anything."""

import pytest

import zoo
from zoo.inference.reopening import explained, module_of
from zoo.training.run_folder import Run

CLASSES = {"classes": ["bad", "good"]}


@pytest.mark.parametrize(
    ("name", "options", "data"),
    [
        ("gru_classifier", {"vocabulary_size": 4}, {"tokens": "words", "vocabulary": [], **CLASSES}),
        ("gru_classifier", {"vocabulary_size": 4}, {"tokens": "words", "vocabulary": "ab", **CLASSES}),
        ("gru_classifier", {"vocabulary_size": 4}, {"tokens": "words", "vocabulary": ["a", 3], **CLASSES}),
        ("gru_classifier", {"vocabulary_size": 4}, {"tokens": "words", "vocabulary": ["a", "a"], **CLASSES}),
        ("gru_classifier", {"vocabulary_size": 4}, {"tokens": "syllables", "vocabulary": ["a", "b"], **CLASSES}),
        ("gru_classifier", {"vocabulary_size": 4}, {"tokens": "words", "vocabulary": ["a", "b"]}),
        ("seq2seq_gru", {"vocabulary_size": 6}, {"tokens": "characters", "letters": ["a", "b"]}),
        ("seq2seq_gru", {"vocabulary_size": 9}, {"tokens": "characters", "letters": "ab"}),
        ("seq2seq_gru", {"vocabulary_size": 9}, {"tokens": "subwords", "tokenizer": "{}"}),
        ("seq2seq_gru", {"vocabulary_size": 9}, {"tokens": ["subwords"], "tokenizer": "{}"}),
        ("word2vec", {"vocabulary_size": 3}, {"words": "a b", "counts": "many few"}),
        ("word2vec", {"vocabulary_size": 3}, {"words": "a b", "counts": "3"}),
        ("word2vec", {"vocabulary_size": 3}, {"words": ["a", "b"], "counts": [3, 2]}),
    ],
)
def test_it_is_one_line(name, options, data, tmp_path):
    from zoo import tasks

    if data.get("tokens") == "subwords":
        pytest.importorskip("tokenizers", reason="needs the package tokenizers")
    card = zoo.info(name)
    with (
        pytest.raises(zoo.UsageError, match=r"config\.json was not written by this zoo") as error,
        explained(Run(tmp_path)),
    ):
        module_of(tasks.get(card.task).data_module, card, card.recipe("demo"), {"options": options, "data": data})
    assert "\n" not in str(error.value)


def test_a_panic_is_one_line(tmp_path):
    class Panic(BaseException):
        """As pyo3's, which is no Exception."""

    with pytest.raises(zoo.UsageError, match="was not written by this zoo"), explained(Run(tmp_path)):
        raise Panic("regex")
    with pytest.raises(KeyboardInterrupt), explained(Run(tmp_path)):
        raise KeyboardInterrupt
