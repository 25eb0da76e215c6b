"""Forecasts of three real series by every forecaster of the zoo, beside the last value, least squares and statsmodels.

    pip install '.[series]' && python benchmarks/series.py

Sunspots by the year, CO2 on Mauna Loa by the week (its gaps filled by straight lines) and the temperature of the
Pacific by the month (El Nino), all from statsmodels. Each is split by time: 70 % train, 10 validate, the last 20 test.
"""

import argparse
import tempfile
from pathlib import Path

import statsmodels.api as sm

import zoo
from zoo import results

FORECASTERS = ("lagged_linear", "sigmoid_sum", "relu_sum", "conv1d", "lstm_forecaster")
COLUMNS = "series", "model", "lags", "horizon", "seed", "mae", "last_value", "least_squares", "best_other", "seconds"


def write_series(folder: Path) -> dict[str, tuple[Path, dict[str, object]]]:
    """The three as CSV files, with the settings of each."""
    sunspots = sm.datasets.sunspots.load_pandas().data.astype({"YEAR": int})
    co2 = sm.datasets.co2.load_pandas().data.rename_axis("date").reset_index()
    wide = sm.datasets.elnino.load_pandas().data.astype({"YEAR": int}).melt("YEAR", value_name="temperature")
    months = {name: number for number, name in enumerate(wide["variable"].unique(), start=1)}
    wide["month"] = [f"{year}-{months[name]:02d}-01" for year, name in zip(wide["YEAR"], wide["variable"])]
    tables = {"sunspots": sunspots, "co2": co2, "elnino": wide[["month", "temperature"]]}
    settings: dict[str, dict[str, object]] = {
        "sunspots": dict(target="SUNACTIVITY", lags=12),
        "co2": dict(lags=52, gaps="interpolate"),
        "elnino": dict(lags=12),
    }
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
    return {name: (folder / f"{name}.csv", settings[name]) for name in tables}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--horizon", type=int, default=1)
    parser.add_argument("--models", nargs="+", default=FORECASTERS)
    parser.add_argument("--series", nargs="+", default=["sunspots", "co2", "elnino"])
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks/series.csv"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = write_series(Path(scratch))
        for name in arguments.series:
            path, settings = found[name]
            for model in arguments.models:
                for seed in arguments.seeds:
                    run = zoo.train(
                        model, data=path, run=Path(scratch) / f"{name}-{model}-{seed}", seed=seed, verbose=0,
                        horizon=arguments.horizon, **settings,
                    )  # fmt: skip
                    baselines = {each: round(value, 4) for each, value in run.results["baselines"].items()}
                    last, squares = baselines.pop("last value"), baselines.pop("least squares")
                    best = min(baselines, key=baselines.__getitem__)
                    cells = (
                        name, model, settings["lags"], arguments.horizon, seed, round(run.metrics["mae"], 4), last,
                        squares, f"{best} {baselines[best]}", run.results["fit_seconds"],
                    )  # fmt: skip
                    row = dict(zip(COLUMNS, cells))
                    print(row, flush=True)
                    results.append(arguments.out, row)


if __name__ == "__main__":
    main()
