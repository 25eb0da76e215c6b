"""`zoo stylize`: a photograph in the style of other images."""

import argparse
import dataclasses

from zoo.cli import _terminal
from zoo.errors import UsageError

HELP = "render a photograph in the style of other images (neural style transfer)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("content", metavar="PHOTOGRAPH", help="the content image")
    parser.add_argument("styles", nargs="+", metavar="STYLE", help="a style image; several are blended")
    parser.add_argument("-o", "--output", metavar="FILE", required=True, help="the image to write, .png or .jpg")
    parser.add_argument("--overwrite", action="store_true", help="replace the output if it is there")
    parser.add_argument(
        "--style-weight", type=float, help="beside a content weight of 1; 0 keeps the photograph (default: 5)"
    )
    parser.add_argument("--fractions", metavar="A,B,...", help="the part of each style in the blend (default: equal)")
    parser.add_argument("--shares", dest="fractions", help=argparse.SUPPRESS)  # its name up to 0.1
    parser.add_argument("--keep-colours", action="store_true", default=None, help="keep the photograph's own colours")
    parser.add_argument("--size", type=int, help="limit of the longer side, in pixels (default: 512)")
    parser.add_argument(
        "--style-size", type=int, help="likewise of the styles; smaller makes a finer texture (default: as --size)"
    )
    parser.add_argument("--steps", type=int, help="of the optimizer (default: 300)")
    parser.add_argument("--optimizer", help="adam (default), or lbfgs as in the paper")
    parser.add_argument("--start", help="the image to start from: content (default), or noise as in the paper")
    parser.add_argument("--preview", type=int, metavar="N", help="write the image every N steps")
    parser.add_argument("--seed", type=int, help="of the noise and of untrained filters (default: 0)")
    parser.add_argument("--extractor", metavar="VGG", help="the network whose maps are compared (default: vgg16)")
    parser.add_argument(
        "--weights", help="of the VGG: imagenet, a file, an address, none (default: imagenet if it can be had)"
    )
    parser.add_argument("--preprocessing", help="what weights in a file were trained on: caffe or torch")


def run(arguments: argparse.Namespace) -> None:
    from zoo.inference import stylize
    from zoo.inference.style_settings import StyleSettings

    fields = {field.name for field in dataclasses.fields(StyleSettings)}
    chosen = {name: value for name, value in vars(arguments).items() if name in fields and value is not None}
    if arguments.fractions:
        try:
            chosen["fractions"] = tuple(float(fraction) for fraction in arguments.fractions.split(","))
        except ValueError:
            raise UsageError(f"--fractions is {arguments.fractions!r}; expected numbers, as in 0.7,0.3") from None
    _terminal.show_log()
    request = stylize.prepare(arguments.content, arguments.styles, arguments.output, arguments.overwrite, **chosen)
    _terminal.start_keras(arguments.debug)
    stylize.render(request)
    print(f"{arguments.output}: {request.size[0]}x{request.size[1]} pixels")
