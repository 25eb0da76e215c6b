"""What is a word, in several scripts; tokens and ids of words, characters, spaces and subwords."""

import logging

import numpy as np
import pytest

import zoo
from zoo.data.text.base import say_long_words
from zoo.data.text.vocabulary import LEVELS, SubwordVocabulary, Vocabulary, kind_of
from zoo.data.text.words import SPLITS_INTO, words, words_and_marks


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("हिन्दी में लिखो", ["हिन्दी", "में", "लिखो"]),  # vowel signs are combining marks
        ("שָׁלוֹם עוֹלָם", ["שָׁלוֹם", "עוֹלָם"]),  # pointed
        ("می‌خواهم", ["می‌خواهم"]),  # a joiner inside
        ("don't don\u2019t 'quoted'", ["don't", "don't", "quoted"]),
        ("Cafe\u0301 CAFÉ", ["café", "café"]),
        ("co-operate, well_known", ["co", "operate", "well", "known"]),
        ("3.14 and 1,000. v2.0", ["3.14", "and", "1,000", "v2", "0"]),
        ("good🙂 👍🏽👩\u200d👧!", ["good", "🙂", "👍🏽", "👩\u200d👧"]),
        ("© 2020 ─── …", ["2020"]),
        ("co\u00adoperate", ["cooperate"]),
        ("", []),
    ],
)
def test_what_is_a_word(text, found):
    assert words(text) == found


def test_the_fast_way_for_latin_letters_finds_the_same():
    rng = np.random.default_rng(0)
    letters = list("abÉßøﬁ012.,'\u2019-_!? \u00ad<>&") + ["\u02ff"]
    for _ in range(300):
        text = "".join(rng.choice(letters, 12))
        assert words(text) == words(text + " ह")[:-1], text


def test_marks_and_markup_of_a_review():
    assert words_and_marks("Fish &amp; chips<br />GREAT!! &#39;really&#39; &lt;b&gt;") == [
        "fish", "chips", "great", "!", "!", "really",
    ]  # fmt: skip


def test_a_text_that_is_cut_already_stays_as_it_is():
    vocabulary = Vocabulary.adapt("spaces", 100, ["New_York is\nNew_York , U.S."])
    assert vocabulary.decode(vocabulary.encode("New_York is , U.S.")) == "New_York is , U.S."
    assert vocabulary.encode("new_york").tolist() == [1]


@pytest.mark.parametrize("level", [level for level in LEVELS if level != "pretrained"])  # which learns none
def test_a_restored_vocabulary_is_the_same(level):
    if level == "subwords":
        pytest.importorskip("tokenizers")
    text = "the cat sat on the mat, the cat sat 好"
    vocabulary = kind_of(level).adapt(level, 300, [text])
    again = kind_of(level).from_config(vocabulary.get_config())
    assert again.encode(text).tolist() == vocabulary.encode(text).tolist()
    assert again.decode(again.encode(text)) == {"words": text.replace(",", "")}.get(level, text)
    assert not vocabulary.unknown(text)


def test_a_character_of_several_subwords_is_written_whole():
    pytest.importorskip("tokenizers")
    vocabulary = SubwordVocabulary.adapt("subwords", 300, ["a 好 b"])
    written = list(vocabulary.continued(vocabulary.encode("a 好!").tolist()))
    assert "".join(written).strip() == "a 好!" and not any("\N{REPLACEMENT CHARACTER}" in each for each in written)


def test_words_as_long_as_sentences_are_noticed(caplog):
    caplog.set_level(logging.INFO, logger="zoo")
    say_long_words(words("我今天早上去市场买了很多新鲜的水果。 他昨天晚上在家里看了一部很好看的电影。"), "zh.txt")
    assert (
        "half of the words of zh.txt have 18 characters or more" in caplog.text and "tokens=characters" in caplog.text
    )
    caplog.clear()
    say_long_words(words("Ein Hund läuft über die schneebedeckte Landschaft"), "de.txt")
    assert not caplog.text


@pytest.mark.parametrize("name", ["word2vec", "gru_classifier", "gru_lm"])
def test_kinds_of_tokens_are_options_of_the_data(name):
    recipe = next(each for each in zoo.info(name).recipes if not each.dataset)
    assert recipe.preprocess["tokens"] in SPLITS_INTO
