"""Learning curves."""

import numpy as np
import pytest

from zoo import plots

pytestmark = pytest.mark.usefixtures("drawn")


@pytest.mark.parametrize(("last", "scale"), [(0.1, "log"), (0.0, "linear"), (-2.5, "linear")])
def test_a_loss_is_drawn_by_its_logarithm_where_it_has_one(last, scale, tmp_path):
    (tmp_path / "history.csv").write_text(f"epoch,loss,val_loss\n0,3.0,2.0\n1,1.0,{last}\n")
    figure = plots.curves(tmp_path / "history.csv", "", "accuracy", {})
    assert figure.axes[0].get_yscale() == scale


def test_a_dollar_sign_begins_no_formula(tmp_path):
    figure = plots.gallery([[np.zeros((4, 4, 3))]], ["EU$ $x_"])
    plots.save(figure, tmp_path / "gallery.png")
    assert (tmp_path / "gallery.png").stat().st_size > 1000


def test_the_curves_show_where_fine_tuning_begins_and_which_epoch_was_kept(tmp_path):
    rows = "".join(f"{epoch},1.0,{loss}\n" for epoch, loss in enumerate((0.9, 0.5, 0.8, 0.7)))
    (tmp_path / "history.csv").write_text("epoch,loss,val_loss\n" + rows)
    figure = plots.curves(tmp_path / "history.csv", "", "accuracy", {}, since=2, kept=1)
    lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
    assert lines["fine-tuning begins"].get_xdata()[0] == 2.5
    assert (lines["kept"].get_xdata()[0], lines["kept"].get_ydata()[0]) == (2, 0.5)
    plain = plots.curves(tmp_path / "history.csv", "", "accuracy", {}, kept=3)
    assert {line.get_label() for line in plain.axes[0].get_lines()} == {"training", "validation"}


def test_the_numbers_beside_a_narrow_range_of_losses_are_plain(tmp_path):
    """`save` draws no formulas, so a label that is one would show its dollar signs."""
    (tmp_path / "history.csv").write_text("epoch,loss,val_loss\n0,2.2,2.1\n1,2.15,2.12\n")
    figure = plots.curves(tmp_path / "history.csv", "", "loss", {})
    plots.save(figure, tmp_path / "curves.png")
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels(which="both")]
    assert "2.1" in labels and not any("$" in label for label in labels)
