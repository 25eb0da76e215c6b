"""Names of classes in figures: in any script, and not cut where they differ."""

from pathlib import Path

import pytest

from zoo import plots
from zoo.plots import base
from zoo.plots.classification import shortened

pytestmark = pytest.mark.usefixtures("drawn")


def test_long_names_keep_their_ends():
    names = [f"Prunus avium (sweet cherry, {size} fruit)" for size in ("large", "small")]
    assert len({shortened(name, 32) for name in names}) == 2
    assert [len(shortened("x" * 50, longest)) for longest in (12, 13)] == [12, 13]


def test_a_font_is_looked_for_where_matplotlibs_own_lacks_a_letter():
    assert base.fonts_with(set("Grün, кошка, π")) == []
    private = "\uf8ff"
    assert base.fonts_with({private}) == [], "a font of last resort has a box for every letter"
    for name in (found := base.fonts_with({"猫", "ね"})):
        assert "resort" not in name.lower()
    if not found:
        pytest.skip("no font with Chinese or Japanese letters is installed")


def test_a_letter_that_no_font_has_is_said(tmp_path, caplog):
    figure = plots.new_figure(2, 2)
    figure.text(0.5, 0.5, "\uf8ff")
    with caplog.at_level("INFO", "zoo"):
        plots.save(figure, Path(tmp_path / "a.png"))
    assert "no font here has some letters of the names" in caplog.text
