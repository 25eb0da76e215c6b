"""What a run keeps of its data module."""

import numpy as np
import pytest

import zoo
from zoo.data.image.arrays import ArrayDataModule
from zoo.training.run_folder import Run


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (None, r"get_config\(\) of ArrayDataModule returned NoneType; expected a dictionary"),
        ({"mean": np.zeros(2)}, r"returned what JSON cannot hold \(Object of type ndarray .*; expected a dictionary"),
    ],
)
def test_a_data_module_that_cannot_be_kept_is_refused_before_training(config, told, tmp_path, monkeypatch):
    monkeypatch.setattr(ArrayDataModule, "get_config", lambda self: config)
    with pytest.raises(zoo.UsageError, match=told):
        zoo.train("softmax_regression", run=tmp_path / "run", verbose=0)
    assert not (tmp_path / "run").exists()


def test_no_cell_of_a_table_is_a_formula(tmp_path):
    run = Run(tmp_path)
    run.write_csv("classes.csv", [{"class": "=1+1", "f1": "-0.5"}, {"class": "@cat", "f1": 0.5}])
    assert (tmp_path / "classes.csv").read_text() == "class,f1\n'=1+1,-0.5\n'@cat,0.5\n"
