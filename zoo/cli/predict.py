"""`zoo predict`: what a trained network predicts for new inputs."""

import argparse

from zoo.cli import _terminal

HELP = "predict with a trained network for new images, clips or texts"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help="a run folder, or the name of a network with published weights")
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="as the network takes: an image or clip file; a text in quotes, a file of one, or - (standard input)",
    )
    parser.add_argument("--weights", help="for a name: a tag of its card (default: imagenet), a file, an address")
    parser.add_argument("--preprocessing", help="what the weights in a file were trained on: caffe, torch or tf")
    parser.add_argument(
        "--out",
        metavar="DIR",
        default="predictions",
        help="where images that explain the predictions go (default: predictions)",
    )
    parser.add_argument(
        "--explain",
        metavar="HOW",
        help="what those show, of images and clips: gradcam (default), saliency, integrated (gradients) or occlusion",
    )
    parser.add_argument(
        "--loop", action="store_true", help="repeat clips that have fewer frames than the network takes"
    )
    parser.add_argument("--score", type=float, help="of detectors: leave out what is less certain (default: 0.25)")
    parser.add_argument(
        "--iou", type=float, help="of detectors: leave out boxes that overlap a better one by more (default: 0.5)"
    )


def run(arguments: argparse.Namespace) -> None:
    _terminal.show_log()
    run_or_name = _terminal.open_run_or_name(arguments.run, arguments.debug)
    from zoo.inference import api

    settings = {
        name: getattr(arguments, name) for name in ("explain", "weights", "preprocessing", "loop", "score", "iou")
    }
    _terminal.show(api.predict(run_or_name, arguments.inputs, folder=arguments.out, **settings))
