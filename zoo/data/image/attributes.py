"""Images with attributes: yes/no questions, any number of which may be true, and some of whose answers are missing."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from zoo.data.base import SPLITS
from zoo.data.image import transforms
from zoo.data.image.arrays import ArrayDataModule
from zoo.data.sources import Source
from zoo.data.tensors import tensorflow
from zoo.errors import UsageError, some, unknown
from zoo.metrics.multi_task import UNKNOWN
from zoo.records import Card, Recipe


def chosen_of(attributes: str) -> list[str]:
    """The names that ``--option attributes=smiling,hat`` chooses; none for all.

    >>> chosen_of("smiling, hat"), chosen_of("")
    (['smiling', 'hat'], [])
    """
    return [name.strip() for name in str(attributes).split(",") if name.strip()]


class AttributeDataModule(ArrayDataModule):
    """Images, and for each attribute 1 (yes), 0 (no) or -1 (nobody knows): targets {"attributes": (batch, attributes)}.

    The source names the attributes, in a folder's table or as features under "attributes" (celeb_a of tfds); arrays
    (examples, attributes) have numbers for names. The word ``attributes`` of the preprocessing chooses some of them.
    """

    targets_are = "anything"
    own: ClassVar[tuple[str, ...]] = ("attributes",)
    preprocess: ClassVar[Mapping[str, Any]] = {**transforms.PREPROCESS, **dict.fromkeys(own, lambda value: value)}

    @classmethod
    def adapt(cls, card: Card, recipe: Recipe, source: Source) -> Self:
        data = super().adapt(card, recipe, source)
        data.class_names = ()  # those of the source are all that it has
        data.class_names = data._names(source.split(recipe.train).element_spec)
        for split in SPLITS:
            data._check_answers(split, learned=split == "train")
        return data

    @property
    def image_steps(self) -> Mapping[str, Any]:
        return {word: option for word, option in self.recipe.preprocess.items() if word not in self.own}

    def model_options(self) -> dict[str, Any]:
        return {**super().model_options(), "num_classes": len(self.class_names)}

    def read(self, split: str) -> Any:
        """(image, {"attributes": (attributes,)}), one example each."""
        tf = tensorflow()
        examples = self.source.split(split)
        spec = examples.element_spec
        names, wanted = self._named(spec), self._names(spec)
        places = [names.index(name) for name in wanted]

        def pair(x: Any, y: Any) -> tuple[Any, Any]:
            row = [y[name] for name in wanted] if isinstance(y, Mapping) else [y[place] for place in places]
            return x, {"attributes": tf.stack([tf.cast(each, tf.float32) for each in row])}

        if isinstance(spec, Mapping):
            return examples.map(lambda each: pair(each["image"], each["attributes"]))
        return examples.map(pair)

    def _names(self, spec: Any) -> tuple[str, ...]:
        """The attributes that are asked for, in their order: those of the run, those that are chosen, or all.

        Raises:
            UsageError: for one that there is not.
        """
        names, chosen = self._named(spec), chosen_of(self.recipe.preprocess.get("attributes", ""))
        if lost := [name for name in self.class_names if name not in names]:
            raise UsageError(
                f"{self.source.name} has the attributes {some(names)}; the run was trained on {some(lost)} as well: "
                "give the same"
            )
        for name in chosen:
            if name not in names:
                raise unknown(f"attribute of {self.source.name}", name, names)
        return tuple(self.class_names or chosen or names)

    def _named(self, spec: Any) -> list[str]:
        """The names of all attributes of an example.

        Raises:
            UsageError: where it has none.
        """
        if isinstance(spec, Mapping) and not {"image", "attributes"} <= set(spec):
            raise UsageError(
                f"an example of {self.source.name} has {', '.join(spec)}; expected image and attributes: yes or no "
                "to each of several questions"
            )
        answers = spec["attributes"] if isinstance(spec, Mapping) else spec[1]
        if isinstance(answers, Mapping):
            return sorted(answers)
        if len(answers.shape) != 1 or answers.shape[0] is None:
            raise UsageError(
                f"a target of {self.source.name} has shape {tuple(answers.shape)}; expected (attributes,), each 1, 0 "
                "or -1: y of one question as y[:, None]; one class of several is for image_classification"
            )
        return list(self.source.class_names) or [f"attribute_{number}" for number in range(answers.shape[0])]

    def targets(self, split: str) -> np.ndarray:
        """The answers of a split, (examples, attributes)."""
        return super().targets(split)["attributes"]

    def check_other(self, split: str) -> None:
        super().check_other(split)
        self._check_answers(split)

    def _check_answers(self, split: str, *, learned: bool = False) -> None:
        """Raise for what is no answer, and for an attribute that has one answer only where it is to be learned."""
        counts, row = np.zeros((len(self.class_names), 2), "int64"), 0
        for _, targets in self._examples(split).batch(1024).as_numpy_iterator():
            answers = targets["attributes"]
            wrong = np.argwhere(~np.isin(answers, (0, 1, UNKNOWN)))
            if len(wrong):
                example, number = wrong[0]
                raise UsageError(
                    f"example {row + example} of {self.source.name} ({split}) has {answers[example, number]:g} for "
                    f"{self.class_names[number]}; expected 1 (yes), 0 (no) or {UNKNOWN} (not known): mend it"
                )
            counts += np.stack([(answers == value).sum(0) for value in (0, 1)], axis=1)
            row += len(answers)
        both = [name for name, (no, yes) in zip(self.class_names, counts) if no and yes]
        for name, (no, yes) in zip(self.class_names, counts if learned else ()):
            if no and yes:
                continue
            found = f"each of the {yes + no} answers to {name} is {'yes' if yes else 'no'}"
            option = f" (--option attributes={','.join(both)})" if 0 < len(both) < 9 else ""
            hint = f"; where {UNKNOWN} means no, as in CelebA's list, write 0" if yes else ""
            raise UsageError(
                f"{self.source.name}: {found if yes + no else f'nothing is known of {name}'} in training; expected "
                f"both answers: leave it out{option}{hint}"
            )
