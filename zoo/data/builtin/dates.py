"""Dates as people write them, and as ISO 8601 does: a genuine tfds builder whose examples are made by a program."""

import datetime
from collections.abc import Mapping

import numpy as np

from zoo.data.builtin.embedded import Embedded, tfds

# Each form is one that can be read in one way only: dots put the day first, slashes the month, two digits of a year
# stand for one of 1950 to 2049.
FORMS = (
    "{day} {month} {year}",
    "{day} {mon} {year}",
    "{day:02}-{mon}-{year}",
    "{month} {day}, {year}",
    "{mon} {day}, {year}",
    "{mon} {day:02} {year}",
    "{weekday}, {day} {month} {year}",
    "{weekday}, {month} {day}, {year}",
    "{wday} {day} {mon} {year}",
    "{day}{th} of {month} {year}",
    "the {day}{th} of {month}, {year}",
    "{month} the {day}{th}, {year}",
    "{day}.{number}.{year}",
    "{day:02}.{number:02}.{year}",
    "{day:02}.{number:02}.{short:02}",
    "{number}/{day}/{year}",
    "{number:02}/{day:02}/{short:02}",
    "{year}, {month} {day}",
    "{year} {mon} {day:02}",
    "{day} {mon} '{short:02}",
)
CASES = (str, str, str.lower, str.upper)
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def ending(day: int) -> str:
    """What English puts behind the number of a day.

    >>> [f"{day}{ending(day)}" for day in (1, 2, 3, 4, 11, 12, 13, 21, 30)]
    ['1st', '2nd', '3rd', '4th', '11th', '12th', '13th', '21st', '30th']
    """
    return "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def write(date: datetime.date, form: str) -> str:
    """A date in one of `FORMS`.

    >>> write(datetime.date(2021, 3, 4), "{wday} {day}{th} of {month} '{short:02}")
    "Thu 4th of March '21"
    """
    month, weekday = MONTHS[date.month - 1], WEEKDAYS[date.weekday()]
    return form.format(
        day=date.day, th=ending(date.day), number=date.month, month=month, mon=month[:3], year=date.year,
        short=date.year % 100, weekday=weekday, wday=weekday[:3],
    )  # fmt: skip


class WrittenDates(Embedded):
    """12,000 different dates of 1950 to 2049, each written in one of twenty ways, and as ISO 8601 has it.

    Split by date: none of one split occurs in another, in any form.
    """

    VERSION = tfds.core.Version("1.0.0")
    COUNTS = (("train", 10_000), ("validation", 1_000), ("test", 1_000))

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            description="Generated: dates of 1950 to 2049 in one of twenty written forms, lower or upper case at "
            "times, and as YYYY-MM-DD. Each date occurs once, in one split.",
            features=tfds.features.FeaturesDict({"written": tfds.features.Text(), "iso": tfds.features.Text()}),
            supervised_keys=("written", "iso"),
        )

    def examples(self) -> tuple[list[str], list[str]]:
        rng = np.random.default_rng(8601)
        first = datetime.date(1950, 1, 1)
        days = (datetime.date(2050, 1, 1) - first).days
        chosen = rng.permutation(days)[: sum(count for _, count in self.COUNTS)]
        dates = [first + datetime.timedelta(int(day)) for day in chosen]
        written = [CASES[rng.integers(len(CASES))](write(date, FORMS[rng.integers(len(FORMS))])) for date in dates]
        return written, [date.isoformat() for date in dates]

    def rows(self, x: list[str], y: list[str]) -> Mapping[str, np.ndarray]:
        ends = np.cumsum([count for _, count in self.COUNTS])
        starts = [0, *ends[:-1]]
        return {split: np.arange(start, end) for (split, _), start, end in zip(self.COUNTS, starts, ends)}
