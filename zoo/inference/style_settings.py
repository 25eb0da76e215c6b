"""What may be chosen for style transfer by optimising pixels: `zoo stylize`."""

from dataclasses import dataclass
from pathlib import Path

from zoo import registry
from zoo.checks import check_not_negative, check_whole, is_number
from zoo.data.image.files import MIN_SIDE
from zoo.errors import UsageError, unknown

DEFAULT_SIZE = 512  # pixels of the longer side
STARTS = ("content", "noise")
OPTIMIZERS = ("adam", "lbfgs")


@dataclass(frozen=True)
class StyleSettings:
    """How an image is to be stylised."""

    style_weight: float = 5.0  # beside a content weight of 1
    variation_weight: float = 1.0
    fractions: tuple[float, ...] = ()  # of several styles; equal if left out
    size: int = DEFAULT_SIZE
    style_size: int | None = None  # of the styles' longer sides; as the photograph's
    steps: int = 300
    optimizer: str = "adam"  # one of OPTIMIZERS
    learning_rate: float = 0.02
    start: str = "content"
    keep_colours: bool = False
    seed: int = 0
    extractor: str = "vgg16"
    weights: str = "auto"  # "imagenet" where it can be had, else untrained filters; "none"; a tag, file or address
    preprocessing: str = ""
    preview: int = 0  # write the image every so many steps; 0: never
    verbose: int = 1

    def check(self, styles: int) -> None:
        """Raise unless every setting can be used, with so many styles."""
        if not registry.info(self.extractor).loss_network:
            able = [name for name in registry.list_models() if registry.info(name).loss_network]
            raise UsageError(f"extractor is {self.extractor!r}; expected {', '.join(able[:-1])} or {able[-1]}")
        limits = (("size", MIN_SIDE), ("style_size", MIN_SIDE), ("steps", 1), ("preview", 0), ("seed", 0))
        for field, least in limits:
            value = getattr(self, field)
            if not (field == "style_size" and value is None):
                check_whole(field, value, least)
        if self.seed >= 2**32:
            raise UsageError(f"seed is {self.seed}; expected a whole number from 0 to 2^32 - 1")
        for field in ("style_weight", "variation_weight", "learning_rate"):
            check_not_negative(field, getattr(self, field))
        if self.optimizer not in OPTIMIZERS:
            raise unknown("optimizer", self.optimizer, OPTIMIZERS)
        if self.start not in STARTS:
            raise unknown("start", self.start, STARTS)
        valid = all(is_number(fraction, 0) for fraction in self.fractions) and sum(self.fractions) > 0
        if self.fractions and (len(self.fractions) != styles or not valid):
            raise UsageError(
                f"there are {styles} styles and the fractions {self.fractions}; expected one number for each, not all 0"
            )

    def previews(self, output: Path | None) -> list[Path]:
        """The files that are written on the way."""
        if not self.preview or output is None:
            return []
        steps = range(self.preview, self.steps, self.preview)
        return [output.with_name(f"{output.stem}-{step:04}{output.suffix}") for step in steps]
