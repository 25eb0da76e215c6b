"""`zoo predict`: what a trained network predicts for new inputs."""

import argparse
import csv
import logging
import sys
from typing import Any

from zoo.cli import _terminal
from zoo.errors import UsageError

HELP = "predict with a trained network for new images, clips or texts"
OWN = ("score", "iou", "to")  # words of some networks alone
EXPLAINED = 8  # images that are explained without being asked for it

log = logging.getLogger("zoo")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder, or the name of a network with published weights")
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="as the network takes: an image or clip file, a folder of images or a pattern ('new/*.jpg'); a text in "
        "quotes, a file of one, or - (standard input)",
    )
    parser.add_argument("--weights", help="for a name: a tag of its card (default: imagenet), a file, an address")
    parser.add_argument("--preprocessing", help="what the weights in a file were trained on: caffe, torch, tf, ...")
    parser.add_argument(
        "--out",
        metavar="DIR",
        default="predictions",
        help="where images go that explain the predictions, or show what was found (default: predictions)",
    )
    parser.add_argument(
        "--explain",
        metavar="HOW",
        help="what those show, of images and clips: gradcam (default), saliency, integrated (gradients) or occlusion; "
        f"of more than {EXPLAINED} images only where this is given",
    )
    parser.add_argument(
        "--loop", action="store_true", help="repeat clips that have fewer frames than the network takes"
    )
    parser.add_argument(
        "--top", type=int, metavar="N",
        help="how many classes of an image are named (default: 5), or attributes, or things in it (all)",
    )  # fmt: skip
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="of what is told of images: print it as JSON")
    form.add_argument("--csv", action="store_true", help="likewise: print them as a table, a row for each")
    parser.add_argument(
        "--reject", type=float, metavar="RATE",
        help="of classifiers: answer \"don't know\" where an input is stranger than all but this part of the run's "
        "validation set (0.05: one of twenty known ones)",
    )  # fmt: skip
    parser.add_argument("--reject-score", metavar="NAME", help="by what: softmax, energy or mahalanobis (default)")
    parser.add_argument("--data", metavar="PATH", help="for --reject: where the run's own data are now, if they moved")
    parser.add_argument("--data-dir", metavar="DIR", help="for --reject: where tensorflow-datasets keeps its data sets")
    parser.add_argument("--score", type=float, help="of detectors: leave out what is less certain (default: 0.25)")
    parser.add_argument(
        "--iou", type=float, help="of detectors: leave out boxes that overlap a better one by more (default: 0.5)"
    )
    parser.add_argument(
        "--to", help="of networks that translate between two sets of images: a or b, the set to go to (default: both)"
    )


def run(arguments: argparse.Namespace) -> int:
    _terminal.show_log(sys.stderr)  # beside what a program may read
    run_or_name = _terminal.open_run_or_name(arguments.run, arguments.debug)
    from zoo.data.image.files import expanded
    from zoo.inference import prediction, predictor, rejection

    if prediction.is_name(run_or_name):  # nothing is fetched for what is not there
        there = expanded(arguments.inputs)
        for path in there if len(there) == 1 else ():
            prediction.check_there(path)
    rejection.check_asked(arguments.reject, arguments.reject_score)
    for word in ("data", "data_dir"):
        if getattr(arguments, word) and arguments.reject is None:
            raise UsageError(f"--{word.replace('_', '-')} is for --reject: give a rate, as 0.05, or leave it out")
    words = ("weights", "preprocessing", "loop", "data", "data_dir")
    settings = {name: getattr(arguments, name) for name in words}
    ready = predictor.load(run_or_name, **settings)
    thresholds = {word: getattr(arguments, word) for word in OWN if getattr(arguments, word) is not None}
    if ready.has_records:
        return answer(ready, arguments, thresholds)
    for word in ("top", "json", "csv"):
        if getattr(arguments, word):
            raise UsageError(
                f"--{word} is for classifiers of images, detectors and autoencoders; {arguments.run} is none: leave it "
                "out"
            )
    asked = {"explain": arguments.explain, "reject": arguments.reject, "reject_score": arguments.reject_score}
    _terminal.show(ready(arguments.inputs, folder=arguments.out, **asked, **thresholds))
    return 0


def answer(ready: Any, arguments: argparse.Namespace, thresholds: dict[str, Any]) -> int:
    """Print what a network predicts for each image, as soon as it does; 1 where some could not be read."""
    from zoo.data.image.files import expanded
    from zoo.tasks._predictions import Refusal

    inputs = expanded(arguments.inputs)
    folder = arguments.out if ready.draws_all or arguments.explain or len(inputs) <= EXPLAINED else None
    if folder is None:
        how = "explained: --explain gradcam shows where the network looks"
        log.info(f"{len(inputs)} images, none {how if ready.explains else f'drawn: up to {EXPLAINED} at a time are'}")
    found, refused = [], 0
    table: csv.DictWriter[str] | None = None
    asked = {"explain": arguments.explain, "reject": arguments.reject, "reject_score": arguments.reject_score}
    for each in ready.each(inputs, folder=folder, top=arguments.top, **asked, **thresholds):
        found.append(each.as_dict() if arguments.json else None)
        if isinstance(each, Refusal):
            if len(inputs) == 1:
                raise UsageError(each.error)
            refused += 1
            log.warning(f"left out: {each.error}")
        elif arguments.csv:
            rows = each.as_rows() if hasattr(each, "as_rows") else [each.as_row()]
            if table is None:
                table = csv.DictWriter(sys.stdout, [*rows[0]], lineterminator="\n")
                table.writeheader()
            table.writerows(rows)
        elif not arguments.json:
            _terminal.show(str(each).splitlines())
    if arguments.json:
        _terminal.print_json(found)
    if refused == len(inputs):
        raise UsageError(f"none of the {len(inputs)} images could be read")
    if refused:
        log.warning(f"{refused} of {len(inputs)} images could not be read")
    return 1 if refused else 0
