"""A user's own series: a table with a row for each time, its target and other columns as numbers, without gaps."""

import datetime
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.checks import check_whole
from zoo.data import table_file
from zoo.data.sources import Source
from zoo.errors import UsageError, unknown

log = logging.getLogger("zoo")

MIN_ROWS = 40
REGULAR = 1.2  # the longest step over the shortest: months and years are of one kind
TIME_NAMES = ("time", "date", "datetime", "timestamp", "year", "month", "day", "ds")
GAPS = ("refuse", "interpolate", "last")
SETTINGS: Mapping[str, Any] = {
    "target": "",  # the column to forecast; "": the only one of numbers
    "time": "",  # the column of times; "": the one that is called so, or the order of the rows
    "columns": "",  # others that are looked at as well, "temperature,wind"
    "lags": 12,  # steps that the network looks back
    "horizon": 1,  # steps ahead
    "season": 0,  # steps after which the series repeats itself; 0: found by its autocorrelation
    "gaps": "refuse",  # or filled: a straight line between the neighbours ("interpolate"), or the "last" value again
    "difference": "auto",  # whether a forecast is the step from the last value, and a window the steps to it
}


def checked(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with those that were left out.

    >>> checked({"lags": 0})
    Traceback (most recent call last):
        ...
    zoo.errors.UsageError: lags is 0; expected a whole number of at least 1
    """
    found = {**SETTINGS, **settings}
    for name in ("lags", "horizon"):
        check_whole(name, found[name])
    check_whole("season", found["season"], 0)
    if found["gaps"] not in GAPS:
        raise unknown("way to fill gaps", found["gaps"], GAPS)
    if found["difference"] not in ("auto", True, False):
        raise UsageError(f"difference is {found['difference']!r}; expected auto, True or False")
    return found


@dataclass(frozen=True)
class Series:
    """Numbers over time, in order and without gaps."""

    columns: tuple[str, ...]  # the target first
    values: np.ndarray  # (time, columns)
    times: tuple[str, ...]  # (time,) as the file has them, or the numbers of the rows


@dataclass(frozen=True)
class SeriesSource(Source):
    """A table that becomes windows when it is known how they are wanted."""

    path: Path


class SeriesFile:
    """A ``.csv``, ``.tsv`` or ``.jsonl`` file with a row for each time."""

    def __init__(self, path: Path):
        self.path, self.name = path, str(path)
        if path.is_dir() or path.suffix.lower() not in table_file.SUFFIXES:
            kind = "folder" if path.is_dir() else "text file"
            raise UsageError(
                f"{path} is a {kind}; a network for forecasting learns from a table: a .csv, .tsv or .jsonl file with "
                "a row for each time"
            )
        table_file.check_table(path)

    def sha256(self) -> str:
        return table_file.sha256(self.path)

    def load(self) -> SeriesSource:
        def split(text: str) -> Any:
            raise UsageError(f"{self.path} is a table; its windows are made by the data module")

        return SeriesSource(self.name, (), split, self.path)


def read_series(path: Path, settings: Mapping[str, Any]) -> Series:
    """The series of a table.

    Raises:
        UsageError: for a column that there is not or that holds no numbers, times that are none or that come twice,
            and gaps, unless they are to be filled.
    """
    table = dict(table_file.read_table(path))
    time = settings["time"] or next((name for name in table if name.lower() in TIME_NAMES), "")
    cells = table.pop(table_file.check_column(table, time, path, "time")) if time else []
    columns = [target_of(table, settings["target"], path)]
    for name in filter(None, (each.strip() for each in str(settings["columns"]).split(","))):
        if table_file.check_column(table, name, path, "columns") not in columns:
            columns.append(name)
    values = np.stack([numbers(table[name], name, path) for name in columns], axis=1)  # (time, columns)
    names = tuple(cells) or tuple(map(str, range(1, len(values) + 1)))
    if time:
        values, names = in_order(values, cells, path, settings["gaps"])
    return Series(tuple(columns), filled(values, names, columns, path, settings["gaps"]), names)


def target_of(table: table_file.Table, target: str, path: Path) -> str:
    """The column to forecast: the one that is asked for, or the only one that holds numbers."""
    if target:
        return table_file.check_column(table, target, path, "target")
    found = [name for name, cells in table.items() if any(is_number(cell) for cell in cells)]
    if len(found) != 1:
        raise UsageError(
            f"{path} has {len(found)} columns of numbers ({', '.join(found) or 'none'}); name the one to forecast: "
            "--target COLUMN"
        )
    log.info(f"{found[0]} is what is forecast, the only column of numbers")
    return found[0]


def is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def numbers(cells: list[str], name: str, path: Path) -> np.ndarray:
    """A column as numbers, NaN where a cell is empty. (time,)"""
    empty = ("", "na", "nan", "null", "none", "-")
    for number, cell in enumerate(cells, start=2):
        if not is_number(cell) and cell.strip().lower() not in empty:
            raise UsageError(f"line {number} of {path} has {cell!r} as {name}; expected a number, or nothing")
    return np.array([float(cell) if is_number(cell) else math.nan for cell in cells])


def in_order(values: np.ndarray, cells: list[str], path: Path, gaps: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Rows in the order of their times; where gaps are filled, with a row of NaN for each missing time."""
    times = np.array([moment(cell, number, path) for number, cell in enumerate(cells, start=2)])
    order = np.argsort(times, kind="stable")
    if (order != np.arange(len(order))).any():
        log.info(f"the rows of {path.name} are brought into the order of their times")
    times, values, names = times[order], values[order], [cells[row] for row in order]
    steps = np.diff(times)
    if len(steps) and steps.min() <= 0:
        raise UsageError(f"{path} has {names[int(steps.argmin())]} twice; expected each time once")
    if not len(steps) or steps.max() <= REGULAR * steps.min():
        return values, tuple(names)
    step = float(np.median(steps))
    position = np.concatenate([[0], np.cumsum(np.maximum(np.round(steps / step), 1))]).astype(int)
    missing = position[-1] + 1 - len(position)
    row = int(np.argmax(np.round(steps / step) != 1))
    if gaps == "refuse":
        raise UsageError(
            f"{path} has a step from {names[row]} to {names[row + 1]} where others are shorter: {missing} times are "
            "missing; fill them (--option gaps=interpolate or gaps=last), or mend the file"
        )
    whole = np.full((position[-1] + 1, values.shape[1]), math.nan)
    whole[position] = values
    every = [""] * len(whole)
    for place, name in zip(position, names):
        every[place] = name
    return whole, tuple(every)


def moment(cell: str, number: int, path: Path) -> float:
    """A time as a number: of what it counts, or of seconds."""
    if is_number(cell):
        return float(cell)
    try:
        return datetime.datetime.fromisoformat(cell.strip()).replace(tzinfo=None).timestamp()
    except ValueError:
        raise UsageError(
            f"line {number} of {path} has {cell!r} as time; expected a number or a date as 2024-12-31"
        ) from None


def filled(values: np.ndarray, names: tuple[str, ...], columns: list[str], path: Path, gaps: str) -> np.ndarray:
    """Without NaN, by the rule."""
    if len(values) < MIN_ROWS:
        raise UsageError(f"{path} has {len(values)} rows; expected at least {MIN_ROWS} to learn from and to test on")
    missing = np.isnan(values)
    if not missing.any():
        return values
    row, column = map(int, np.argwhere(missing)[0])
    if gaps == "refuse":
        raise UsageError(
            f"{columns[column]} of {path} is empty at {names[row] or 'a missing time'} and in {missing.sum() - 1} "
            "other cells; fill them (--option gaps=interpolate or gaps=last), or mend the file"
        )
    log.info(f"{missing.sum():,} of {values.size:,} numbers of {path.name} were missing: {gaps}")
    found = values.copy()
    rows = np.arange(len(values))
    for number in range(values.shape[1]):
        known = rows[~missing[:, number]]
        if not len(known):
            raise UsageError(f"{columns[number]} of {path} is empty; expected numbers")
        if gaps == "interpolate":
            found[:, number] = np.interp(rows, known, values[known, number])
        else:
            latest = known[np.maximum(np.searchsorted(known, rows, side="right") - 1, 0)]
            found[:, number] = values[latest, number]
    return found
