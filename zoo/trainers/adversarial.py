"""Two networks that train each other: the generator and the discriminator of a GAN, by `compile` and `fit`.

I. Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014, Algorithm 1. There the discriminator makes its step
and then the generator, each by a gradient of its own. Here both gradients come from one pass, so that Keras's own
training step serves on every backend, and both step at once:

    discriminator    D(x), D(G(z)) with the gradient stopped before G: its weights alone
    generator        D(G(z)) with D's weights taken as numbers: G's weights alone

What is summed is one loss, and its gradient is each side's own. Where the discriminator should be ahead (Gulrajani 2017
give it five steps for one) it gets a higher rate instead (M. Heusel et al., "GANs Trained by a Two Time-Scale Update
Rule Converge to a Local Nash Equilibrium", NeurIPS 2017).
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from zoo.backend import gradient
from zoo.errors import UsageError
from zoo.optimizers.finetuning import scaled_copy


class AdversarialTrainer(keras.Model):
    """Trains a network of two halves, on real examples alone.

        trainer = AdversarialTrainer(zoo.build("gan"))
        trainer.compile(keras.optimizers.Adam(1e-3, beta_1=0.5), loss=losses.Adversarial("hinge"))
        trainer.fit(examples, epochs=10)  # then trainer.generator draws

    The history holds both losses and the discriminator's accuracy.

    Args:
        network: with inputs "image" (or "example") and "latent", outputs "real" and "fake", and a layer "generated".
        discriminator_rate: the discriminator's learning rate, as a multiple of the generator's.
    """

    def __init__(self, network: keras.Model, *, discriminator_rate: float = 1.0):
        super().__init__(name=f"{network.name}_adversarial")
        self.network = network
        self.generator, self.discriminator = halves(network)
        self.discriminator_rate = discriminator_rate
        self.noise_size = self.generator.input_shape[-1]
        self.noise_seed = keras.random.SeedGenerator()
        self.discriminator_loss = keras.metrics.Mean("discriminator_loss")
        self.generator_loss = keras.metrics.Mean("generator_loss")
        self.discriminator_accuracy = keras.metrics.Mean("discriminator_accuracy")
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
        """With two optimizers.

        Args:
            optimizer: the generator's.
            loss: an `Adversarial`, or a dictionary with one for "real".
            discriminator_optimizer: by default one like the generator's, at `discriminator_rate` times its rate.
            loss_weights, metrics: not used: the two sides count alike, and what is shown is their own.
            options: as `keras.Model.compile` takes them.

        Raises:
            UsageError: for another loss.
        """
        self.adversarial = loss["real"] if isinstance(loss, dict) else loss
        if not hasattr(self.adversarial, "of_generator"):
            raise UsageError(f"the loss is {self.adversarial!r}; expected a zoo.losses.Adversarial")
        both = two_sides(
            optimizer, discriminator_optimizer, [self.generator], rate=self.discriminator_rate, name="adversarial"
        )
        super().compile(both, **options)
        both.build(self.trainable_variables)

    def save(self, *arguments: Any, **options: Any) -> None:
        """Saves the network: what was trained, not how."""
        self.network.save(*arguments, **options)

    def call(self, x: Any, training: bool = False) -> dict[str, Any]:
        """Logits of real examples (batch, ...), and of as many generated ones, as either side sees them."""
        noise = keras.random.normal((ops.shape(x)[0], self.noise_size), seed=self.noise_seed)
        generated = self.generator(noise, training=training)
        found = {
            "real": self.discriminator(x, training=training),
            "fake": self.discriminator(ops.stop_gradient(generated), training=training),
        }
        weights = [(each, ops.stop_gradient(each.value)) for each in self.discriminator.variables]
        with keras.StatelessScope(state_mapping=weights):  # its running statistics have seen these already
            found["deceiving"] = self.discriminator(generated, training=training)
        if training and self.adversarial.gradient_penalty:
            found["penalty"] = self.penalty(x, ops.stop_gradient(generated))
        return found

    def penalty(self, real: Any, generated: Any) -> Any:
        """(|gradient of D| - 1)^2 for each example, at a point drawn between real and generated: (batch,)."""
        axes = list(range(1, len(real.shape)))
        t = keras.random.uniform((ops.shape(real)[0], *[1] * len(axes)), seed=self.noise_seed)
        current = [(each, each.value) for each in self.discriminator.variables]

        def score(x: Any) -> Any:
            with keras.StatelessScope(state_mapping=current):
                return ops.sum(self.discriminator(x, training=True))

        slope = gradient(score, t * real + (1.0 - t) * generated, differentiable=True)
        return (ops.sqrt(ops.sum(slope**2, axis=axes) + 1e-12) - 1.0) ** 2

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Both losses together: neither reaches the other's weights."""
        real, fake = y_pred["real"], y_pred["fake"]
        of_discriminator = self.adversarial(ops.ones_like(real), real) + self.adversarial(ops.zeros_like(fake), fake)
        if "penalty" in y_pred:
            of_discriminator += self.adversarial.gradient_penalty * ops.mean(y_pred["penalty"])
        of_generator = self.adversarial.of_generator(y_pred["deceiving"])
        threshold = self.adversarial.threshold
        right = ops.concatenate([real > threshold, fake <= threshold])
        self.discriminator_loss.update_state(of_discriminator)
        self.generator_loss.update_state(of_generator)
        self.discriminator_accuracy.update_state(ops.cast(right, "float32"))
        return of_discriminator + of_generator


def two_sides(
    optimizer: Any, other: keras.Optimizer | None, generators: Sequence[keras.Model], *, rate: float = 1.0, name: str
) -> keras.Optimizer:
    """An optimizer for the variables of generators, and another for all that are not: one like it, at `rate` times its
    learning rate, where there is none."""
    mine_optimizer = keras.optimizers.get(optimizer)
    others = other or scaled_copy(mine_optimizer, rate)
    mine = {id(variable) for each in generators for variable in each.trainable_variables}
    # found by which variable it is: names may be alike on both sides
    return keras.optimizers.MultiOptimizer(
        lambda variable: mine_optimizer if id(variable) in mine else others, name=name
    )


def halves(network: keras.Model) -> tuple[keras.Model, keras.Model]:
    """The generator, (batch, latent size) to examples, and the discriminator, examples to (batch, 1) logits."""
    inputs = {tensor.name: tensor for tensor in network.inputs}
    latent = inputs.pop("latent")
    (example,) = inputs.values()
    generator = keras.Model(latent, network.get_layer("generated").output, name="generator")
    return generator, keras.Model(example, network.output["real"], name="discriminator")
