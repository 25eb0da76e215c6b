"""Forecasts that need no network: the mean, the last value, the one a season ago, least squares, and statsmodels'."""

import importlib.util
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

MAX_ORIGINS = 400  # times that statsmodels forecasts several steps from; more take minutes


def mean(train: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Always the mean of what was trained on."""
    return np.full(shape, train.mean())


def last_value(x: np.ndarray, horizon: int) -> np.ndarray:
    """The last value again. x (examples, lags, columns) -> (examples, horizon)"""
    return np.repeat(x[:, -1, :1], horizon, axis=1)


def seasonal(values: np.ndarray, first: np.ndarray, horizon: int, season: int) -> np.ndarray:
    """The value one season before, of a series (time,); several where the horizon is longer than a season.

    >>> seasonal(np.array([1, 2, 3, 1, 2, 3]), np.array([3]), 3, 3)
    array([[1, 2, 3]])
    """
    ahead = np.arange(horizon)
    return values[first[:, None] + ahead - season * (ahead // season + 1)]


def least_squares(x: np.ndarray, y: np.ndarray, x_test: np.ndarray) -> np.ndarray:
    """Each value ahead as a weighted sum of the window, by the closed form. (examples, horizon)"""

    def with_one(windows: np.ndarray) -> np.ndarray:
        flat = windows.reshape(len(windows), -1)
        return np.concatenate([flat, np.ones((len(flat), 1))], axis=1)

    weights, *_ = np.linalg.lstsq(with_one(x), y, rcond=None)
    return with_one(x_test) @ weights


def statsmodels_forecasts(
    values: np.ndarray, trained: int, first: np.ndarray, horizon: int, season: int
) -> dict[str, np.ndarray]:
    """Exponential smoothing and an ARIMA, fitted to the first values and run on over the others, where it is installed.

    Args:
        values: the series, (time,).
        trained: how many of them are learned from.
        first: the rows of the first values that are forecast.
        horizon: steps ahead.
        season: steps of a season, 0 for none.
    """
    if importlib.util.find_spec("statsmodels") is None or (horizon > 1 and len(first) > MAX_ORIGINS):
        return {}
    from statsmodels.tsa.statespace.exponential_smoothing import ExponentialSmoothing
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    kinds: dict[str, Callable[[], Any]] = {
        "ETS": lambda: ExponentialSmoothing(
            values[:trained], trend=True, damped_trend=True, seasonal=season if 1 < season <= 24 else None
        ),
        "ARIMA(2,1,1)": lambda: SARIMAX(values[:trained], order=(2, 1, 1)),
    }
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of convergence: they are baselines
        for name, make in kinds.items():
            fitted = make().fit(disp=False)
            if horizon == 1:
                found[name] = fitted.apply(values).fittedvalues[first][:, None]
            else:
                found[name] = np.stack([fitted.apply(values[:row]).forecast(horizon) for row in first])
    return found
