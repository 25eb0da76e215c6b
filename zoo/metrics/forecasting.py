"""Errors of forecasts in the units of their series, while the network learns scaled ones."""

from typing import Any

import keras


@keras.saving.register_keras_serializable("zoo")
class ScaledError(keras.metrics.MeanAbsoluteError):
    """The mean absolute error times a number.

    >>> metric = ScaledError(10.0)
    >>> metric.update_state([[1.0]], [[1.5]])
    >>> float(metric.result())
    5.0
    """

    def __init__(self, scale: float = 1.0, name: str = "mae", dtype: Any = None):
        super().__init__(name=name, dtype=dtype)
        self.scale = scale

    def result(self) -> Any:
        return super().result() * self.scale

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale}
