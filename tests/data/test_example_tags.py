"""Tags of examples, as users write them."""

import pytest

from zoo.data.example_tags import read_tags, tagged
from zoo.errors import UsageError


def written(tmp_path, text):
    path = tmp_path / "tags.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "17,blurred,dark\n3,dark\n",  # bare
        "example,tag,tag\n17,blurred,dark\n3,,dark\n4,,\n",  # as a spreadsheet saves it
        "example,class,predicted,confidence,tag,tag\n17,6,4,0.9,blurred,dark\n3,1,2,0.8,dark,\n",  # errors.csv
        "\ufeff17, blurred , dark\n\n3,dark\n",
    ],
)
def test_a_row_is_an_example_and_its_tags(text, tmp_path):
    assert read_tags(written(tmp_path, text)) == {"17": ["blurred", "dark"], "3": ["dark"]}


def test_what_was_kept_from_being_a_formula_is_what_it_was(tmp_path):
    assert read_tags(written(tmp_path, "file,tag\n'=a.png,dark\n")) == {"=a.png": ["dark"]}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no tags; expected rows like"),
        ("example,class,predicted,confidence\n3,1,2,0.9\n", "holds no tags"),
        ("3,dark\n,blurred\n", "row 2 of .* has tags and no example"),
    ],
)
def test_a_table_without_tags_is_one_line(text, says, tmp_path):
    with pytest.raises(UsageError, match=says):
        read_tags(written(tmp_path, text))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match="cannot be read as a table of tags"):
        read_tags(tmp_path / "none.csv")


def test_tags_of_an_example_that_there_is_not():
    with pytest.raises(UsageError, match=r"there is no example '7' in the test set; .* from 0 to 1"):
        tagged({"7": ["dark"]}, ["0", "1"], "the test set")
    assert tagged({"1": ["dark"]}, ["0", "1"], "the test set")["dark"].tolist() == [False, True]
