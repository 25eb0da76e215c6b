"""What a forecaster learns from: windows of the last values, and the values that follow, split by time.

Of a table (`zoo.data.series.table`) the windows are made here. The first 70 % of the steps train, the next 10 validate
and the last 20 test; nothing that is forecast in one split is seen in training. Inputs and targets are scaled by the
training part alone. Where the last value is a far better forecast than the mean, as of a series that grows, a forecast
is the step from the last value and a window holds the steps to it (A. Zeng et al., "Are Transformers Effective for Time
Series Forecasting?", AAAI 2023, section 4, NLinear): a network cannot be right about levels that it never saw.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from zoo.data.base import SPLITS, check_batch
from zoo.data.image.arrays import NumberDataModule
from zoo.data.image.normalization import Scaling
from zoo.data.series.table import SETTINGS, Series, SeriesSource, checked, read_series
from zoo.data.sources import Source
from zoo.data.tensors import tensorflow
from zoo.errors import UsageError
from zoo.records import Card, Recipe, replace

log = logging.getLogger("zoo")

PARTS = (0.7, 0.8, 1.0)  # of the steps: where training, validation and test end
GROWING = 1 / 3  # errors of the last value over those of the mean, below which differences are learned
CORRELATED = 0.3  # a season is one whose autocorrelation is above this


@dataclass(frozen=True)
class Windows:
    """Examples of a split, as the series has them."""

    x: np.ndarray  # (examples, lags, columns), the target first, the latest step last
    y: np.ndarray  # (examples, horizon)
    first: np.ndarray  # (examples,) the row of the first value that is forecast

    @property
    def last(self) -> np.ndarray:
        """The last value of the target before the forecast, (examples, 1)."""
        return self.x[:, -1, :1]


class SeriesDataModule(NumberDataModule):
    """Windows of a series with the values that follow, both scaled: a table of one's own, or examples that are windows
    already, with one value each.

    Inputs are (batch, lags x columns), the columns of a step side by side; targets (batch,) or (batch, horizon).
    """

    ordered = True
    preprocess = (*NumberDataModule.preprocess, *SETTINGS)  # type: ignore[assignment]

    def __init__(self, card: Card, recipe: Recipe, source: Source | None):
        settings = {name: value for name, value in recipe.preprocess.items() if name in SETTINGS}
        rest = {name: value for name, value in recipe.preprocess.items() if name not in SETTINGS}
        super().__init__(card, replace(recipe, preprocess=rest), source)
        self.settings = checked(settings)
        self.columns: tuple[str, ...] = ()  # of a table
        self.season: int = self.settings["season"]
        self.difference = False
        self.target_mean, self.target_std = 0.0, 1.0
        self._series: Series | None = None
        self._windows: dict[str, Windows] = {}

    @classmethod
    def check_recipe(cls, card: Card, recipe: Recipe) -> None:
        checked({name: value for name, value in recipe.preprocess.items() if name in SETTINGS})
        rest = {name: value for name, value in recipe.preprocess.items() if name not in SETTINGS}
        NumberDataModule.check_recipe(card, replace(recipe, preprocess=rest))

    @classmethod
    def adapt(cls, card: Card, recipe: Recipe, source: Source) -> Self:
        data = cls(card, recipe, source) if isinstance(source, SeriesSource) else super().adapt(card, recipe, source)
        if isinstance(source, SeriesSource):
            data._adapt_table()
            check_batch(recipe, data.examples["train"])
        y = data._scalable(data.windows("train"))
        data.target_mean = float(y.mean())
        data.target_std = float(y.std()) or 1.0
        return data

    def _adapt_table(self) -> None:
        series = self.series
        self.columns = series.columns
        train = self.windows("train")
        values = train.x[:, -1, 0]
        if self.settings["difference"] == "auto":
            step = np.abs(train.y[:, :1] - train.last).mean()
            self.difference = bool(step < GROWING * np.abs(values - values.mean()).mean())
        else:
            self.difference = self.settings["difference"]
        self.season = self.season or season_of(series.values[: int(PARTS[0] * len(series.values)), 0])
        x = self._transformed(train.x)
        std = x.std(0)
        self.scaling = Scaling(tuple(x.mean(0).tolist()), tuple(np.where(std > 1e-12, std, 1.0).tolist()))
        self.shape, self.high = x.shape[1:], float(x.max())
        self.examples = {split: len(self.windows(split).y) for split in SPLITS}
        log.info(
            f"{self.settings['horizon']} of {series.columns[0]} from the last {self.settings['lags']} of "
            f"{', '.join(series.columns)}" + (", as the step from the last value" if self.difference else "")
            + (f"; a season of {self.season}" if self.season else "")
        )  # fmt: skip

    @property
    def series(self) -> Series:
        """The table, read once."""
        if self._series is None:
            assert isinstance(self.source, SeriesSource)
            self._series = read_series(self.source.path, self.settings)
        return self._series

    @classmethod
    def from_config(cls, card: Card, recipe: Recipe, source: Source | None, config: Mapping[str, Any]) -> Self:
        data = super().from_config(card, recipe, source, config)
        kept = config.get("series", {})  # none in runs of 0.1, which did not scale their targets
        data.columns, data.season = tuple(kept.get("columns", ())), kept.get("season", 0)
        data.difference = kept.get("difference", False)
        data.target_mean, data.target_std = kept.get("target", (0.0, 1.0))
        return data

    def get_config(self) -> dict[str, Any]:
        kept = {
            "columns": self.columns,
            "season": self.season,
            "difference": self.difference,
            "target": (self.target_mean, self.target_std),
        }
        return {**super().get_config(), "series": kept}

    def model_options(self) -> dict[str, Any]:
        options = super().model_options()
        if not isinstance(self.source, SeriesSource):
            return options
        return {**options, "horizon": self.settings["horizon"], "columns": len(self.columns)}

    # Examples

    def windows(self, split: str) -> Windows:
        """The examples of a split, unscaled."""
        if split not in self._windows:
            self._windows[split] = self._made(split) if isinstance(self.source, SeriesSource) else self._gathered(split)
        return self._windows[split]

    def _made(self, split: str) -> Windows:
        values, lags, horizon = self.series.values, self.settings["lags"], self.settings["horizon"]
        ends = dict(zip(SPLITS, (int(part * len(values)) for part in PARTS)))
        start = max(lags, {"train": 0, "validation": ends["train"], "test": ends["validation"]}[split])
        first = np.arange(start, ends[split] - horizon + 1)
        if len(first) < 1:
            raise UsageError(
                f"the {split} part of {self.source.name} has {max(ends[split] - start, 0)} steps after the first "
                f"{lags}; expected at least {horizon}: fewer lags, a shorter horizon, or a longer series"
            )
        x = values[first[:, None] - np.arange(lags, 0, -1)]  # (examples, lags, columns)
        return Windows(x, values[first[:, None] + np.arange(horizon), 0], first)

    def _gathered(self, split: str) -> Windows:
        x, y = zip(*super().batches(split).as_numpy_iterator())
        raw = self.scaling.undo(np.concatenate(x)).astype("float64")
        return Windows(raw.reshape(len(raw), -1, 1), np.concatenate(y).reshape(len(raw), -1), np.arange(len(raw)))

    def _transformed(self, x: np.ndarray) -> np.ndarray:
        """(examples, lags, columns) -> (examples, lags x columns), of steps to the last value if learned."""
        return (x - x[:, -1:] if self.difference else x).reshape(len(x), -1)

    def _scalable(self, windows: Windows) -> np.ndarray:
        """What is scaled to be learned, (examples, horizon)."""
        return windows.y - windows.last if self.difference else windows.y

    def inputs(self, windows: Windows) -> np.ndarray:
        """What the network reads, (examples, lags x columns) float32."""
        return np.asarray(self.scaling(self._transformed(windows.x)))

    def batches(self, split: str, *, training: bool = False) -> Any:
        scale = np.float32(self.target_std)
        if not isinstance(self.source, SeriesSource):
            return (
                super()
                .batches(split, training=training)
                .map(lambda x, y: (x, (tensorflow().cast(y, "float32") - np.float32(self.target_mean)) / scale))
            )
        windows = self.windows(split)
        y = ((self._scalable(windows) - self.target_mean) / self.target_std).astype("float32")
        examples = tensorflow().data.Dataset.from_tensor_slices(
            (self.inputs(windows), y[:, 0] if y.shape[1] == 1 else y)
        )
        if training:
            examples = examples.shuffle(len(y), seed=self.recipe.seed, reshuffle_each_iteration=True)
        return examples.batch(self.recipe.batch_size).prefetch(tensorflow().data.AUTOTUNE)

    def targets(self, split: str) -> np.ndarray:
        """The values that follow, in their units: (examples, horizon)."""
        return self.windows(split).y

    def undo(self, outputs: np.ndarray, windows: Windows) -> np.ndarray:
        """A network's outputs (examples, horizon) in the units of the series."""
        steps = outputs * self.target_std + self.target_mean
        return steps + windows.last if self.difference else steps

    def latest(self, path: Path) -> tuple[Windows, Series]:
        """The end of a table, whose next values are to be forecast."""
        if not self.columns:
            raise UsageError(
                f"{self.card.name} was trained on ready windows; expected a run on a table (--data FILE.csv)"
            )
        series = read_series(path, {**self.settings, "target": self.columns[0], "columns": ",".join(self.columns[1:])})
        x = series.values[None, -self.settings["lags"] :]
        return Windows(x, np.zeros((1, self.settings["horizon"])), np.array([len(series.values)])), series


def season_of(values: np.ndarray) -> int:
    """After how many steps the changes of a series repeat themselves, 0 if they do not.

    >>> season_of(np.sin(np.arange(200) * 2 * np.pi / 12) + 0.05 * np.arange(200))
    12
    """
    changes = np.diff(values) - np.diff(values).mean()
    most = len(changes) // 4
    if most < 3 or not changes.any():
        return 0
    power = np.sum(changes**2)
    found = np.array([np.sum(changes[lag:] * changes[:-lag]) / power for lag in range(1, most + 1)])
    peaks = [lag for lag in range(1, most - 1) if found[lag] >= max(found[lag - 1], found[lag + 1], CORRELATED)]
    return max(peaks, key=lambda lag: found[lag]) + 1 if peaks else 0
