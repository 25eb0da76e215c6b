"""What a run keeps of its data module."""

import numpy as np
import pytest

import zoo
from zoo.data.image.arrays import ArrayDataModule


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
