"""Learning curves."""

import numpy as np
import pytest

from zoo import plots


@pytest.mark.parametrize(("last", "scale"), [(0.1, "log"), (0.0, "linear"), (-2.5, "linear")])
def test_a_loss_is_drawn_by_its_logarithm_where_it_has_one(last, scale, tmp_path):
    (tmp_path / "history.csv").write_text(f"epoch,loss,val_loss\n0,3.0,2.0\n1,1.0,{last}\n")
    figure = plots.curves(tmp_path / "history.csv", "", "accuracy", {})
    assert figure.axes[0].get_yscale() == scale


def test_a_dollar_sign_begins_no_formula(tmp_path):
    figure = plots.gallery([[np.zeros((4, 4, 3))]], ["EU$ $x_"])
    plots.save(figure, tmp_path / "gallery.png")
    assert (tmp_path / "gallery.png").stat().st_size > 1000
