"""Series of one's own: tables, windows, splits by time, scaling, gaps, baselines, and forecasts."""

import csv

import numpy as np
import pytest

import zoo
from zoo import cli, tasks
from zoo.baselines import series as baselines
from zoo.data.series.table import SeriesFile, checked, read_series
from zoo.data.series.windows import PARTS, SeriesDataModule
from zoo.data.sources import ArrayFile
from zoo.records import replace
from zoo.training.run_folder import Run

CARD = zoo.info("lagged_linear")


def write(path, columns, delimiter=","):
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, delimiter=delimiter)
        table.writerow(columns)
        table.writerows(zip(*columns.values()))
    return path


def waves(count=200, mean=1000.0, slope=0.0):
    time = np.arange(count)
    noise = np.random.default_rng(0).normal(size=count)
    return mean + 50 * np.sin(time * 2 * np.pi / 10) + slope * time + noise


def data_module(path, **settings):
    recipe = CARD.recipe("series")
    recipe = replace(recipe, dataset=str(path), preprocess={**recipe.preprocess, "lags": 5, **settings})
    return SeriesDataModule.adapt(CARD, recipe, SeriesFile(path).load())


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "views.csv", {"year": range(200), "views": np.round(waves(), 3)})


def test_windows_are_split_by_time_and_nothing_forecast_is_trained_on(path):
    data = data_module(path, horizon=3)
    values = read_series(path, checked({"target": "views"})).values[:, 0]
    seen = {}
    for split in ("train", "validation", "test"):
        windows = data.windows(split)
        for x, y, first in zip(windows.x[:, :, 0], windows.y, windows.first):
            np.testing.assert_array_equal(x, values[first - 5 : first])
            np.testing.assert_array_equal(y, values[first : first + 3])
        seen[split] = {int(row) for first in windows.first for row in range(first, first + 3)}
    ends = [int(part * 200) for part in PARTS]
    assert [(min(rows), max(rows)) for rows in seen.values()] == [(5, ends[0] - 1), (ends[0], ends[1] - 1), (160, 199)]


def test_inputs_and_targets_are_scaled_by_the_training_part_and_undone(path):
    data = data_module(path)
    x, y = (np.concatenate(part) for part in zip(*data.batches("train").as_numpy_iterator()))
    np.testing.assert_allclose([x.mean(), x.std(), y.mean(), y.std()], [0, 1, 0, 1], atol=1e-4)
    test = data.windows("test")
    scaled = np.concatenate([y for _, y in data.batches("test").as_numpy_iterator()])[:, None]
    np.testing.assert_allclose(data.undo(scaled, test), test.y, rtol=1e-6)
    assert abs(test.y.mean() - 1000) < 20, "in their units"


def test_of_a_series_that_grows_the_steps_are_learned(tmp_path):
    path = write(tmp_path / "co2.csv", {"co2": waves(slope=8.0)})
    data = data_module(path, horizon=2)
    assert data.difference and not data_module(path, difference=False).difference
    x = np.concatenate([x for x, _ in data.batches("test").as_numpy_iterator()])
    assert np.abs(x).max() < 4, "no input lies where none was in training"
    scaled = np.concatenate([y for _, y in data.batches("test").as_numpy_iterator()])
    np.testing.assert_allclose(data.undo(scaled, data.windows("test")), data.windows("test").y, rtol=1e-6)


def test_several_columns_stand_side_by_side(tmp_path):
    path = write(tmp_path / "two.csv", {"a": range(100), "b": waves(100), "c": waves(100)}, delimiter=";")
    data = data_module(path, target="c", columns="a", difference=False)
    assert data.windows("train").x.shape[1:] == (5, 2)
    np.testing.assert_array_equal(data.windows("train").x[0, :, 1], range(5))
    assert data.model_options()["input_shape"] == (10,) and data.model_options()["columns"] == 2
    model = zoo.build("lstm_forecaster", input_shape=(10,), columns=2, horizon=3)
    assert model.get_layer("days").output.shape == (None, 5, 2) and model.output_shape == (None, 3)
    assert zoo.build("conv1d", input_shape=(10,), columns=2).get_layer("channel").output.shape == (None, 5, 2)


def test_baselines_by_hand():
    x = np.array([[[1.0], [2.0]], [[2.0], [4.0]]])
    np.testing.assert_array_equal(baselines.last_value(x, 2), [[2, 2], [4, 4]])
    values = np.arange(10.0)
    np.testing.assert_array_equal(baselines.seasonal(values, np.array([6, 7]), 5, 3)[0], [3, 4, 5, 3, 4])
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 4, 1))
    y = x[:, :, 0] @ np.array([[1.0], [2.0], [3.0], [4.0]]) + 5
    np.testing.assert_allclose(baselines.least_squares(x[:30], y[:30], x[30:]), y[30:])


def test_statsmodels_stands_beside_where_it_is_installed():
    pytest.importorskip("statsmodels")
    values = waves(120)
    for horizon in (1, 2):
        found = baselines.statsmodels_forecasts(values, 84, np.arange(96, 119), horizon, 10)
        assert set(found) == {"ETS", "ARIMA(2,1,1)"}
        ahead = values[np.arange(96, 119)[:, None] + np.arange(horizon)]
        assert np.abs(found["ETS"] - ahead).mean() < 0.3 * np.abs(values[95:118, None] - ahead).mean()


@pytest.mark.parametrize(
    ("columns", "settings", "says"),
    [
        ({"a": waves(50), "b": waves(50)}, {}, r"has 2 columns of numbers \(a, b\); name the one .*--target COLUMN"),
        ({"a": waves(50)}, {"target": "b"}, "no column of .* for target 'b'"),
        ({"a": ["x", *waves(49)]}, {"target": "a"}, r"line 2 of .* has 'x' as a; expected a number"),
        ({"a": ["", *waves(49)]}, {}, r"a of .* is empty at 1 and in 0 other cells; fill them"),
        ({"year": [*range(49), 60], "a": waves(50)}, {}, r"a step from 48 to 60 .* 11 times are missing; fill them"),
        ({"year": [*range(49), 48], "a": waves(50)}, {}, "has 48 twice; expected each time once"),
        ({"date": ["soon"] * 50, "a": waves(50)}, {}, r"line 2 of .* has 'soon' as time; expected a number or a date"),
        ({"a": waves(30)}, {}, "has 30 rows; expected at least 40"),
        ({"a": waves(50)}, {"lags": 48}, r"the train part .* has 0 steps after the first 48; .* fewer lags"),
    ],
)
def test_a_table_that_is_no_series_is_one_line(columns, settings, says, tmp_path):
    with pytest.raises(zoo.UsageError, match=says):
        data_module(write(tmp_path / "own.csv", columns), **settings)


def test_gaps_are_filled_by_the_rule_that_is_asked_for(tmp_path):
    values = [*map(str, range(48)), "", "50"]
    columns = {"date": [f"2024-{1 + day // 28:02d}-{1 + day % 28:02d}" for day in range(50)], "a": values}
    columns = {name: cells[:20] + cells[21:] for name, cells in columns.items()}  # the 21st has no row at all
    path = write(tmp_path / "own.csv", {"day": [d for d in range(50) if d != 20], "a": columns["a"]})
    for gaps, wanted in (("interpolate", (20, 48.5)), ("last", (19, 47))):
        series = read_series(path, checked({"target": "a", "gaps": gaps}))
        assert len(series.values) == 50 and (series.values[20, 0], series.values[48, 0]) == wanted


def test_months_are_regular_and_rows_are_sorted(tmp_path):
    dates = [f"{2000 + month // 12}-{1 + month % 12:02d}-01" for month in range(60)]
    path = write(tmp_path / "own.csv", {"date": dates[::-1], "a": range(60)})
    series = read_series(path, checked({}))
    assert series.times[0] == "2000-01-01" and series.values[0, 0] == 59


def test_whole_numbers_in_an_array_file_are_numbers_and_its_end_is_held_out(tmp_path):
    x = np.arange(700.0).reshape(100, 7)
    np.savez(tmp_path / "own.npz", x_train=x, y_train=np.arange(0, 300, 3), x_test=x, y_test=np.arange(0, 300, 3))
    source = ArrayFile(tmp_path / "own.npz", numbers=True, ordered=True).load()
    assert not source.class_names
    assert [int(y) for _, y in source.split("validation")] == list(range(270, 300, 3))


@pytest.mark.usefixtures("drawn")
def test_a_series_is_trained_judged_and_continued(path, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["--data", str(path), "--target", "views", "--time", "year", "--lags", "10", "--horizon", "2"]
    assert (
        cli.main(["train", "lagged_linear", *words, "--epochs", "60", "--learning-rate", "0.05", "--run", "run"]) == 0
    )
    told = capsys.readouterr().out
    assert "2 of views from the last 10 of views; a season of 10" in told
    run = Run.open("run")
    beside = run.results["baselines"]
    assert run.metrics["mae"] < 0.2 * beside["last value"] and {"mean", "a season ago", "least squares"} <= set(beside)
    assert zoo.evaluate(run) == pytest.approx(run.metrics, rel=1e-4)
    assert cli.main(["predict", "run", str(path), "--out", "drawn"]) == 0
    first, *steps, drawn = capsys.readouterr().out.splitlines()
    assert "views after 199" in first and len(steps) == 2 and drawn.endswith("drawn/forecast.png")
    wave = 1000 + 50 * np.sin(200 * 2 * np.pi / 10)
    assert abs(float(steps[0].split()[1]) - wave) < 10
    assert (tmp_path / "drawn" / "forecast.png").stat().st_size > 5_000


def test_a_forecaster_that_is_no_better_is_said_to_be(path, tmp_path, capsys):
    words = ["train", "lagged_linear", "--data", str(path), "--target", "views", "--epochs", "1"]
    assert cli.main([*words, "--learning-rate", "1e-6", "--run", str(tmp_path / "run")]) == 0
    assert "no better than" in (told := capsys.readouterr().out) and tasks.get("forecasting").advice in told
