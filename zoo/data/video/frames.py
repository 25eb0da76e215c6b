"""What clips need of the pipeline beyond what images do: choosing frames, and the same change for all of them."""

from zoo.errors import UsageError


def frames(x, count):
    """Of a clip (time, height, width, channels), `count` frames: the middle one of each of as many equal parts."""
    import tensorflow as tf

    if x.shape[0] is not None and x.shape[0] < count:
        raise UsageError(
            f"the clips have {x.shape[0]} frames; expected at least {count}: give longer ones, or repeat them (--loop)"
        )
    there = tf.shape(x)[0]
    return tf.gather(x, tf.minimum((2 * tf.range(count) + 1) * there // (2 * count), there - 1))


def loop(x, least):
    """A clip that has fewer than `least` frames, repeated until it has as many."""
    import tensorflow as tf

    there = tf.shape(x)[0]
    return tf.gather(x, tf.range(tf.maximum(there, least)) % there)


def jitter(x, seed, every):
    """Of a batch of clips (batch, time, ...), one frame of every few, a random one: (batch, time / every, ...)."""
    import tensorflow as tf

    batch, time = tf.unstack(tf.shape(x)[:2])
    draws = tf.random.stateless_uniform((batch, time // every), seed, maxval=every, dtype=tf.int32)
    return tf.gather(x, tf.range(time // every) * every + draws, axis=1, batch_dims=1)


def for_clips(augmentation):
    """An augmentation of images that does the same to every frame of a clip: the frames become channels."""

    def augment(x, seed, option):
        import tensorflow as tf

        if x.shape.rank != 5:
            return augmentation(x, seed, option)
        batch, time, height, width, channels = tf.unstack(tf.shape(x))
        folded = tf.reshape(tf.transpose(x, (0, 2, 3, 1, 4)), (batch, height, width, time * channels))
        found = tf.reshape(augmentation(folded, seed, option), (batch, height, width, time, channels))
        return tf.ensure_shape(tf.transpose(found, (0, 3, 1, 2, 4)), x.shape)

    return augment


def shuffled_in_time(dataset):
    """The frames of each clip in a random order, the same in every call."""
    import tensorflow as tf

    def shuffle(number, batch):
        x, y = batch
        order = tf.argsort(tf.random.stateless_uniform(tf.shape(x)[:2], tf.stack([0, number])), axis=1)
        return tf.gather(x, order, axis=1, batch_dims=1), y

    return dataset.enumerate().map(shuffle)


def still(dataset):
    """Each clip as its middle frame, again and again."""
    import tensorflow as tf

    def hold(x, y):
        time = tf.shape(x)[1]
        return tf.repeat(x[:, time // 2, tf.newaxis], time, axis=1), y

    return dataset.map(hold)
