"""Two generators against two discriminators, by `compile` and `fit`, on two sets of images that nobody paired.

J.-Y. Zhu et al., "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks", ICCV 2017, section
4. Images a and b of a batch have nothing to do with each other. As in `zoo.trainers.adversarial` the gradients of all
come from one pass:

    discriminators   images of their own set, and translations from the pool: their weights alone. Their loss is halved.
    generators       translations, with the discriminators' weights taken as numbers; images there and back.
"""

from typing import Any

import keras
from keras import ops

from zoo.errors import UsageError
from zoo.trainers.adversarial import two_sides

POOL_SIZE = 50  # translations (Zhu 2017, section 4)


class ImagePool(keras.layers.Layer):
    """The last translations, of which the discriminators see some again.

    A. Shrivastava et al., "Learning from Simulated and Unsupervised Images through Adversarial Training", CVPR 2017,
    section 2.3, as Zhu 2017 do it: until the pool is full each image enters it and is returned. Then half of the images
    are returned, and each of the others takes the place of an old one, which is returned for it.

    Shapes: (batch, ...) -> the same. Images beyond the size of the pool go by it.

    Args:
        shape: of an image.
        size: how many the pool holds.
        seed: of what is drawn.
    """

    def __init__(self, shape: tuple[int, ...], size: int = POOL_SIZE, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.size = size
        self.images = self.add_weight(shape=(size, *shape), initializer="zeros", trainable=False, name="images")
        self.count = self.add_weight(shape=(), initializer="zeros", dtype="int32", trainable=False, name="count")
        self.seed = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, x: Any) -> Any:
        number = ops.arange(ops.shape(x)[0])  # (batch,)
        free = self.count + number  # the place of each, if it is empty
        fills = free < self.size
        order = ops.argsort(keras.random.uniform((self.size,), seed=self.seed))  # no place is drawn twice
        place = ops.where(fills, free, ops.take(order, ops.minimum(number, self.size - 1)))
        full = ops.logical_and(self.count >= self.size, number < self.size)
        swaps = ops.logical_and(full, keras.random.uniform(ops.shape(number), seed=self.seed) < 0.5)
        enters = ops.logical_or(fills, swaps)
        axes = (-1, *[1] * (len(x.shape) - 1))
        returned = ops.where(ops.reshape(swaps, axes), ops.take(self.images, place, axis=0), x)
        taken = ops.logical_and(enters[:, None], place[:, None] == ops.arange(self.size)[None])  # (batch, size)
        entrant = ops.take(x, ops.argmax(ops.cast(taken, "int32"), axis=0), axis=0)
        self.images.assign(ops.where(ops.reshape(ops.any(taken, axis=0), axes), entrant, self.images.value))
        self.count.assign(ops.minimum(self.count + ops.shape(x)[0], self.size))
        return returned


class UnpairedTrainer(keras.Model):
    """Trains a network of two generators and two discriminators.

        trainer = UnpairedTrainer(zoo.build("cyclegan"))
        trainer.compile(keras.optimizers.Adam(2e-4, beta_1=0.5), loss=losses.CycleAdversarial())
        trainer.fit(batches)  # of {"a": images, "b": others}; then trainer.to_b translates

    The history holds the losses, and how often the discriminators are right.

    Args:
        network: with inputs "a" and "b", outputs "real_a" and "real_b", layers "translated_a" and "translated_b".
        pool_size: translations that either pool holds.
    """

    def __init__(self, network: keras.Model, *, pool_size: int = POOL_SIZE):
        super().__init__(name=f"{network.name}_unpaired")
        self.network = network
        self.to_a, self.to_b, self.doubt_a, self.doubt_b = parts(network)
        shape = tuple(network.inputs[0].shape[1:])
        self.pool_a, self.pool_b = (ImagePool(shape, pool_size, name=f"pool_{side}") for side in "ab")
        words = ("generator_loss", "discriminator_loss", "cycle_loss", "identity_loss", "discriminator_accuracy")
        self.means = {word: keras.metrics.Mean(word) for word in words}
        self.built = True

    def compile(
        self,
        optimizer: Any = "adam",
        *,
        loss: Any = None,
        discriminator_optimizer: keras.Optimizer | None = None,
        loss_weights: Any = None,
        metrics: Any = (),
        **options: Any,
    ) -> None:
        """With one optimizer for the generators and one for the discriminators.

        Args:
            optimizer: the generators'.
            loss: a `CycleAdversarial`, or a dictionary with one for "real_a".
            discriminator_optimizer: by default one like the generators'.
            loss_weights, metrics: not used: the loss has weights of its own, and what is shown is the trainer's.
            options: as `keras.Model.compile` takes them.

        Raises:
            UsageError: for another loss.
        """
        self.objective = loss["real_a"] if isinstance(loss, dict) else loss
        if not hasattr(self.objective, "cycle_weight"):
            raise UsageError(f"the loss is {self.objective!r}; expected a zoo.losses.CycleAdversarial")
        both = two_sides(optimizer, discriminator_optimizer, [self.to_a, self.to_b], name="unpaired")
        super().compile(both, **options)
        both.build(self.trainable_variables)

    def save(self, *arguments: Any, **options: Any) -> None:
        """Saves the network: what was trained, not how."""
        self.network.save(*arguments, **options)

    def call(self, x: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """From images {"a", "b"}: logits of them, of what the pools return and of the translations; images back."""
        a, b = x["a"], x["b"]
        translated_a, translated_b = self.to_a(b, training=training), self.to_b(a, training=training)
        shown_a, shown_b = ops.stop_gradient(translated_a), ops.stop_gradient(translated_b)
        if training:
            shown_a, shown_b = self.pool_a(shown_a), self.pool_b(shown_b)
        found = {
            "real_a": self.doubt_a(a, training=training),
            "real_b": self.doubt_b(b, training=training),
            "fake_a": self.doubt_a(shown_a, training=training),
            "fake_b": self.doubt_b(shown_b, training=training),
        }
        doubting = [*self.doubt_a.variables, *self.doubt_b.variables]
        with keras.StatelessScope(state_mapping=[(each, ops.stop_gradient(each.value)) for each in doubting]):
            found["deceiving_a"] = self.doubt_a(translated_a, training=training)
            found["deceiving_b"] = self.doubt_b(translated_b, training=training)
        if self.objective.cycle_weight:
            found["cycle_a"] = self.to_a(translated_b, training=training)
            found["cycle_b"] = self.to_b(translated_a, training=training)
        if self.objective.identity_weight:
            found["same_a"], found["same_b"] = self.to_a(a, training=training), self.to_b(b, training=training)
        return found

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """All losses together: each reaches the weights of its own side."""
        loss, found = self.objective, y_pred
        real, fake = ([found[f"{kind}_{side}"] for side in "ab"] for kind in ("real", "fake"))
        terms = dict.fromkeys(self.means, 0.0)
        for logits, others, side in zip(real, fake, "ab"):
            terms["discriminator_loss"] += 0.5 * (
                loss(ops.ones_like(logits), logits) + loss(ops.zeros_like(others), others)
            )
            terms["generator_loss"] += loss.of_generator(found[f"deceiving_{side}"])
            if loss.cycle_weight:
                terms["cycle_loss"] += loss.distance(x[side], found[f"cycle_{side}"])
            if loss.identity_weight:
                terms["identity_loss"] += loss.distance(x[side], found[f"same_{side}"])
        right = [ops.mean(ops.cast(each > loss.threshold, "float32")) for each in real]
        right += [ops.mean(ops.cast(each <= loss.threshold, "float32")) for each in fake]
        terms["discriminator_accuracy"] = sum(right) / len(right)
        for word, value in terms.items():
            self.means[word].update_state(value)
        return (
            terms["discriminator_loss"]
            + terms["generator_loss"]
            + loss.cycle_weight * terms["cycle_loss"]
            + loss.identity_weight * terms["identity_loss"]
        )


def parts(network: keras.Model) -> tuple[keras.Model, keras.Model, keras.Model, keras.Model]:
    """The generators to a and to b, images to images, and the discriminators of a and of b, images to logits."""
    a, b = (next(tensor for tensor in network.inputs if tensor.name == side) for side in "ab")
    return (
        keras.Model(b, network.get_layer("translated_a").output, name="to_a"),
        keras.Model(a, network.get_layer("translated_b").output, name="to_b"),
        keras.Model(a, network.output["real_a"], name="doubt_a"),
        keras.Model(b, network.output["real_b"], name="doubt_b"),
    )
