"""Files of text: how much of it is learned from in memory."""

import pytest

from zoo.data import encodings
from zoo.data.table_file import read_table
from zoo.data.text.folder import CorpusFolder, TextFolder
from zoo.data.text.parallel_folder import ParallelFolder
from zoo.errors import UsageError


@pytest.fixture
def large(tmp_path):
    """1 GiB in each kind of place; holes, which take no room."""
    names = ("corpus/a.txt", "classes/hot/a.txt", "classes/cold/b.txt", "pairs/de.train.txt", "table.csv")
    for name in (*names, "pairs/en.train.txt", "pairs/de.test.txt", "pairs/en.test.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        with (tmp_path / name).open("wb") as file:
            file.truncate(2**30)
    return tmp_path


@pytest.mark.parametrize(
    ("open_it", "name"),
    [(CorpusFolder, "corpus"), (CorpusFolder, "corpus/a.txt"), (TextFolder, "classes"), (ParallelFolder, "pairs"),
     (read_table, "table.csv")],
)  # fmt: skip
def test_more_text_than_fits_is_refused_before_it_is_read(large, open_it, name):
    with pytest.raises(UsageError, match=r"holds [\d,]+ MiB of text; expected at most \d+, as it is learned from in"):
        open_it(large / name)


def test_the_memory_that_is_free_counts(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("a word " * 300_000)
    monkeypatch.setattr(encodings, "available_memory", lambda: 16 * 2**20)
    with pytest.raises(UsageError, match="holds 2 MiB of text; expected at most 1, "):
        CorpusFolder(tmp_path / "a.txt")
    monkeypatch.setattr(encodings, "available_memory", lambda: None)
    CorpusFolder(tmp_path / "a.txt")
