"""Data sets of one's own as tfds builders: found, prepared, and refused in one line where they are wrong."""

import re
import shutil
import textwrap

import pytest
from tensorflow_datasets.core import registered

import zoo
from zoo import registry
from zoo.data import open_source, sources
from zoo.data.builtin.embedded import embedded

BARS = '''
import numpy as np
import tensorflow_datasets as tfds

from zoo.data.builtin.embedded import Embedded


class MadeUpBars(Embedded):
    """Bars."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict({
                "image": tfds.features.Image(shape=(4, 4, 1), dtype=np.uint8),
                "label": tfds.features.ClassLabel(num_classes=3),
            }),
            supervised_keys=("image", "label"),
        )

    def examples(self):
        x, y = np.zeros((60, 4, 4, 1), "uint8"), np.arange(60) % 3
        return x, y
'''
PLAIN = """
import numpy as np
import tensorflow_datasets as tfds


class MadeUpPlain(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict({
                "x": tfds.features.Tensor(shape=(2,), dtype=np.float32),
                "label": tfds.features.ClassLabel(num_classes=3),
            }),
            supervised_keys=("x", "label"),
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for number in range(6):
            yield number, {"x": [number, 0.0], "label": number % 3}
"""


@pytest.fixture
def own_file(tmp_path):
    """Writes a user's file, with something replaced, and imports it."""
    before = set(registered._DATASET_REGISTRY)

    def imported(text, old="", new=""):
        assert old in text
        file = tmp_path / "made_up.py"
        file.write_text(text.replace(old, new) if old else text)
        registry.import_file(file)
        return file

    yield imported
    for name in set(registered._DATASET_REGISTRY) - before:
        del registered._DATASET_REGISTRY[name]


def opened(name, tmp_path):
    return open_source(name, data_dir=tmp_path / "data").load()


def refusal(name, tmp_path):
    with pytest.raises(zoo.UsageError) as error:
        opened(name, tmp_path)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_data_set_of_a_users_own_file(own_file, tmp_path):
    own_file(BARS)
    source = opened("made_up_bars", tmp_path)
    assert source.class_names == ("0", "1", "2")
    assert [len(source.split(split)) for split in ("train", "validation", "test")] == [42, 6, 12]


def test_a_plain_builder_needs_no_network(own_file, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "reachable", lambda host: False)
    own_file(PLAIN)
    assert len(opened("made_up_plain:1.0.0", tmp_path).split("train")) == 6


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "% 3",
            "% 5",
            "could not be prepared in .*: the feature 'label': Class label 4 .* mend MadeUpBars in .*up.py",
        ),
        ("(4, 4, 1)", "(4, 4, 3)", "the feature 'image': Shapes .* incompatible; mend"),
        ('"uint8"', '"float32"', "the feature 'image': Image dtype .* float32; mend"),
        ('supervised_keys=("image", "label"),', "", "MadeUpBars in .*made_up.py has no supervised_keys; expected"),
        ("def examples", "def exampels", r"MadeUpBars in .*made_up.py has no examples\(\); expected"),
        ("return x, y", "return x[:0], y[:0]", "gives 0 inputs and 0 targets; expected .* at least one"),
        ("return x, y", "return x, y[:50]", "gives 60 inputs and 50 targets; expected as many"),
        (
            "return x, y",
            "return x, y\n\n    def rows(self, x, y):\n        return {'train': [0], 'test': []}",
            r"rows\(\) of MadeUpBars in .* leaves test empty; expected",
        ),
        ("return x, y", "raise KeyError('lost')", "could not be prepared in .*lost.*; mend MadeUpBars"),
    ],
)
def test_what_is_wrong_with_a_builder_is_said_with_its_cause(old, new, told, own_file, tmp_path):
    own_file(BARS, old, new)
    assert re.search(told, refusal("made_up_bars", tmp_path))


def test_a_name_that_is_taken_is_said_with_both_files(own_file):
    with pytest.raises(zoo.UsageError, match=r"Digits in .*made_up.py takes the name 'digits'.*tables.py; rename"):
        own_file(BARS, "MadeUpBars", "Digits")
    assert registered.imported_builder_cls("digits").__module__ == "zoo.data.builtin.tables"


def test_a_file_may_be_imported_again(own_file, tmp_path):
    own_file(BARS)
    own_file(BARS, "np.arange(60)", "np.arange(60)[::-1]")
    assert len(opened("made_up_bars", tmp_path).split("train")) == 42


def test_all_embedded_data_sets_are_listed(own_file):
    own_file(
        BARS
        + textwrap.dedent("""
        class MadeUpBelow(MadeUpBars):
            pass
    """)
    )
    assert {"digits", "made_up_bars", "made_up_below"} <= set(embedded())


def test_a_changed_program_does_not_pass_for_the_one_that_made_the_data(own_file, tmp_path, caplog):
    def said():
        return [record.getMessage() for record in caplog.records if record.name == "zoo"]

    own_file(BARS)
    opened("made_up_bars", tmp_path)
    own_file(BARS, '"""Bars."""', "# only words")
    opened("made_up_bars", tmp_path)
    assert not said()
    own_file(BARS, "np.zeros", "np.ones")
    opened("made_up_bars", tmp_path)
    folder = tmp_path / "data" / "made_up_bars" / "1.0.0"
    assert f"has changed since it made {folder}; if its examples have, raise its VERSION or" in said()[0]
    (folder / "generator.sha256").unlink()  # as earlier versions of the zoo left it
    caplog.clear()
    opened("made_up_bars", tmp_path)
    assert not said()
    shutil.rmtree(folder)
    pixel, _ = next(opened("made_up_bars", tmp_path).split("train").as_numpy_iterator())
    assert pixel.max() == 1


def test_other_builders_of_a_file_may_change(own_file, tmp_path):
    other = "\n\nclass MadeUpOther(Embedded):\n    SIZE = 3\n"
    own_file(BARS + other)
    opened("made_up_bars", tmp_path)
    own_file(BARS + other, "SIZE = 3", "SIZE = 4")
    opened("made_up_bars", tmp_path)
