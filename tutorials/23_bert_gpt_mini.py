# %% [markdown]
# # 23 · BERT and GPT, in small: read first, be taught later
#
# Labels are dear and text is free. So let a network first read a great deal of plain text and learn to predict what is
# missing in it (*pre-training*, which is *self-supervised*: the text is its own label). What it had to find out for
# that, a few labels can then put to use (*fine-tuning*). GPT reads from left to right and predicts the next word
# (*causal language modelling*, Radford 2018). BERT sees the whole sentence with some words hidden, and predicts those
# (*masked language modelling*, Devlin 2019).
#
# **You will see** why a network that knows nothing starts at a loss of ln V, how words are hidden, what a network has
# understood of words that nobody explained, accuracy against the number of labels with and without reading first,
# what happens if nothing is hidden (the failure of this lesson), and how large GPT-2 and GPT-3 are, with the bill.
#
# **Claims** The loss begins within 5 % of ln V. With 200 labels, about words that have none of them, both networks are
# at least 25 points better if they have read before, in the worst of three seeds. The formula is right about GPT-2
# (1.5 billion) and to 1 % about GPT-3 (175 billion), and training GPT-3 takes one GPU of its time 356 years.
#
# **Beside them** chance, counts of words with a logistic regression, and the same networks without reading.
#
# **Takes** six minutes on two cores. Follows S0:361-402; S1:304.

# %%
import keras
import numpy as np
from lesson import Tutorial
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

import zoo
from zoo.layers.sequence import PoolSequence
from zoo.plots import INK, SECOND, THIRD, new_figure

lesson = Tutorial("23_bert_gpt_mini")

# %% [markdown]
# ## Much text, few labels
# A small language: "the clever doctor near the wooden chair by the tired cat". Living things and others stand in the
# same places, but they go with other adjectives, and that is all that tells them apart. 6,000 sentences are free, one
# in five of them without any adjective.
#
# Then somebody has a question: is the *subject*, the first noun, alive? The sentences of this task have no adjectives:
# "the doctor near the chair by the cat" (yes). And the labels tell of half of the nouns only. The test asks about
# the others. Without having read, nobody can know them.

# %%
ALIVE, THINGS = (
    nouns.split()
    for nouns in (
        "author baker boy cat doctor dog farmer girl horse painter sailor singer student teacher",
        "bridge cabinet car chair flower garden house key lamp letter picture table tower window",
    )
)
COMPANY = {True: "clever hungry kind proud tired young", False: "broken dusty heavy narrow painted wooden"}
LINKS = ("above", "behind", "beside", "by", "near", "opposite", "under", "with")
TAUGHT = {*ALIVE[::2], *THINGS[::2]}  # the nouns that labels tell of


def sentence(rng, subjects=(*ALIVE, *THINGS), adjectives=0.8):
    """One to three nouns, the first of which is the subject."""
    nouns = [rng.choice(subjects), *rng.choice([*ALIVE, *THINGS], rng.integers(3))]
    words, described = [], rng.random() < adjectives
    for number, noun in enumerate(nouns):
        words += [rng.choice(LINKS)] * (number > 0) + ["the"]
        words += [rng.choice(COMPANY[noun in ALIVE].split())] * described
        words.append(noun)
    return " ".join(words)


def questions(count, taught, seed):
    """Sentences about nouns that are taught, or about the others; and whether their subjects live."""
    rng = np.random.default_rng(seed)
    subjects = [noun for noun in (*ALIVE, *THINGS) if (noun in TAUGHT) == taught]
    texts = [sentence(rng, subjects, adjectives=0) for _ in range(count)]
    return texts, np.array([int(text.split()[1] in ALIVE) for text in texts])


rng = np.random.default_rng(lesson.seed)
plain = [sentence(rng) for _ in range(6000)]
print(*plain[:3], sep="\n")

VOCABULARY = ["", "[hidden]", *sorted({word for text in plain for word in text.split()})]
NUMBERS = {word: number for number, word in enumerate(VOCABULARY)}
HIDDEN, LENGTH = NUMBERS["[hidden]"], max(len(text.split()) for text in plain)


def numbers(texts):
    """(texts, LENGTH) whole numbers, 0 after the end."""
    rows = np.zeros((len(texts), LENGTH), "int32")
    for row, text in zip(rows, texts):
        words = [NUMBERS[word] for word in text.split()]
        row[: len(words)] = words
    return rows


x_plain = numbers(plain)
x_test, y_test = {}, {}
for taught, kind in ((True, "taught nouns"), (False, "other nouns")):
    texts, y_test[kind] = questions(1000, taught, seed=99)
    x_test[kind] = numbers(texts)

# %% [markdown]
# ## Two networks
# The zoo's `gpt` and `bert_base`, both with two blocks, 64 wide. What differs is where a position may look: GPT only
# back (*causal self-attention*), BERT everywhere (*bidirectional*). GPT predicts the next word at every position. BERT
# gets a layer for its reading (a *head*) that predicts at every position which word stands there; it is thrown away
# afterwards. To answer, GPT uses its state after the last word, and BERT its state at the first.

# %%
SIZE = dict(vocabulary_size=len(VOCABULARY), num_layers=2, dim=64, num_heads=4, max_length=LENGTH, dropout=0.0)


def new(kind):
    """(the network that reads, the network that is taught): they share all but what comes last."""
    small = keras.initializers.RandomNormal(stddev=0.02)
    if kind == "gpt":
        reader = zoo.build("gpt", input_shape=(None,), **SIZE)
        last = PoolSequence("last")(reader.get_layer("norm").output, reader.input)  # (batch, 64)
        return reader, keras.Model(reader.input, keras.layers.Dense(2, name="logits")(last))
    pupil = zoo.build("bert_base", input_shape=(None,), **SIZE)
    states = pupil.get_layer("first").input[0]  # (batch, time, 64)
    words = keras.layers.Dense(len(VOCABULARY), kernel_initializer=small, name="words")(states)
    return keras.Model(pupil.input, words), pupil


def compiled(model, rate):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss=loss, weighted_metrics=["accuracy"])
    return model


def next_words(x):
    """GPT's input, its targets, and where those count: everywhere but in the padding."""
    return x[:, :-1], x[:, 1:], (x[:, 1:] > 0).astype("float32")


def hide(x, rng, fraction=0.15):
    """BERT's input, its targets, and where those count: where a word is hidden."""
    hidden = (rng.random(x.shape) < fraction) & (x > 0)
    return np.where(hidden, HIDDEN, x), x, hidden.astype("float32")


# %% [markdown]
# ## The loss of knowing nothing
# A network with small random weights gives every word about the same probability, 1/V, so its loss, the
# *cross-entropy*, is $-\ln(1/V) = \ln V$ (a *perplexity* of V). If yours starts elsewhere, something is
# wrong before the first step: logits that are too large, targets that are shifted, padding that is counted.

# %%
rng = np.random.default_rng(lesson.seed)
expected = float(np.log(len(VOCABULARY)))
for kind in ("gpt", "bert"):
    keras.utils.set_random_seed(lesson.seed)
    inputs, targets, counts = next_words(x_plain[:512]) if kind == "gpt" else hide(x_plain[:512], rng)
    logits = new(kind)[0].predict(inputs, verbose=0)
    logits -= logits.max(-1, keepdims=True)
    of_target = np.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
    start = float(((np.log(np.exp(logits).sum(-1)) - of_target) * counts).sum() / counts.sum())
    lesson.claim(
        f"{kind}, first loss against ln {len(VOCABULARY)}, relative difference", abs(start / expected - 1), "<=", 0.05,
        baseline={"loss": start, "ln V": expected}, exact=True,
    )  # fmt: skip

# %% [markdown]
# ## Reading, and being taught

# %%
EPOCHS = {"gpt": 1, "bert": 1} if lesson.smoke else {"gpt": 4, "bert": 14}
STEPS, BATCH = (1, 512) if lesson.smoke else (200, 32)
LABELS = (200,) if lesson.smoke else (20, 60, 200)
KINDS = ("gpt", "bert")


def read_first(kind, seed):
    """(the network that has read all of the plain text, the one to be taught, the loss after each epoch)"""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    reader, pupil = new(kind)
    compiled(reader, 1e-3)
    losses = []
    for _ in range(EPOCHS[kind]):  # other words are hidden each time
        inputs, targets, counts = next_words(x_plain) if kind == "gpt" else hide(x_plain, rng)
        history = reader.fit(inputs, targets, sample_weight=counts, batch_size=BATCH, verbose=0).history
        losses.append(history["loss"][0] * counts.size / counts.sum())  # Keras divides by all positions
    return reader, pupil, losses


def taught(pupil, count, seed):
    """Accuracy after some steps on `count` labels: about the nouns that they tell of, and about the others."""
    texts, labels = questions(count, True, seed)
    x, rng = numbers(texts), np.random.default_rng(seed)
    rows = np.concatenate([rng.permutation(count) for _ in range(-(-STEPS * 32 // count))])[: STEPS * 32]
    compiled(pupil, 1e-3).fit(x[rows], labels[rows], batch_size=32, shuffle=False, verbose=0)
    predicted = {kind: pupil.predict(x, batch_size=500, verbose=0).argmax(-1) for kind, x in x_test.items()}
    return [float((predicted[kind] == y_test[kind]).mean()) for kind in predicted]


def copied(seed):
    """BERT's reading with nothing hidden, every word to be predicted. (the network to be taught, the losses)"""
    keras.utils.set_random_seed(seed)
    reader, pupil = new("bert")
    history = compiled(reader, 1e-3).fit(
        x_plain, x_plain, sample_weight=(x_plain > 0).astype("float32"), epochs=EPOCHS["bert"], batch_size=BATCH,
        verbose=0,
    ).history  # fmt: skip
    return pupil, [float(loss) * x_plain.size / (x_plain > 0).sum() for loss in history["loss"]]


tables, losses = {}, {}
found = {}  # (kind, how) -> (seeds, labels, 2) accuracies
for kind in KINDS:
    for seed in lesson.seeds:
        reader, pupil, losses[kind] = read_first(kind, seed)
        (tables[kind],) = reader.get_layer("embedding").get_weights()  # copies: the labels will move them
        keras.utils.set_random_seed(seed)
        for how, each in (("read first", pupil), ("from scratch", new(kind)[1])):
            weights, rows = each.get_weights(), []
            for count in LABELS:
                each.set_weights(weights)
                rows.append(taught(each, count, seed))
            found.setdefault((kind, how), []).append(rows)
found = {key: np.array(rows) for key, rows in found.items()}


def counted(count, seed):
    """Counts of words and a logistic regression, on the same labels."""
    texts, labels = questions(count, True, seed)
    counts = CountVectorizer().fit(plain)
    model = LogisticRegression(max_iter=1000).fit(counts.transform(texts), labels)
    return float(model.score(counts.transform(questions(1000, False, seed=99)[0]), y_test["other nouns"]))


words_alone = [counted(200, seed) for seed in lesson.seeds]
at = LABELS.index(200)
for kind in KINDS:
    read, scratch = (found[kind, how][:, at, 1] for how in ("read first", "from scratch"))
    lesson.claim(
        f"{kind}, 200 labels, other nouns: accuracy gained by reading first, worst seed", (read - scratch).min(),
        ">=", 0.25, baseline={"from scratch": scratch.mean(), "read first": read.mean(),
                              "counts of words": np.mean(words_alone), "chance": 0.5},
    )  # fmt: skip

figure = new_figure(10.5, 3.6)
start, *panels = figure.subplots(1, 3, width_ratios=(0.8, 1, 1))
for kind, colour in zip(KINDS, (INK, SECOND)):
    start.plot(range(1, EPOCHS[kind] + 1), losses[kind], "o-", color=colour, label=kind, markersize=3)
start.axhline(expected, color=THIRD, linestyle="--", linewidth=1)
start.text(1, expected - 0.12, f"ln {len(VOCABULARY)}", fontsize=8, va="top")
start.set(xlabel="epoch of reading", ylabel="loss", ylim=(0, None), title="reading")
start.legend(frameon=False, fontsize=8)
for axes, kind in zip(panels, KINDS):
    for how, colour in (("read first", INK), ("from scratch", SECOND)):
        for part, style in enumerate(("--", "-")):
            about = list(x_test)[part]
            axes.plot(
                LABELS,
                found[kind, how][:, :, part].mean(0),
                style,
                color=colour,
                label=f"{how}, {about}",
                linewidth=1.5,
            )
    axes.axhline(0.5, color=THIRD, linewidth=0.8)
    axes.set(xscale="log", xticks=LABELS, xlabel="labels", ylabel="accuracy", ylim=(0.4, 1.03), title=kind)
    axes.set_xticks(LABELS, LABELS)
    axes.minorticks_off()
panels[0].legend(frameon=False, fontsize=7, loc=(0.42, 0.32))
for axes in (start, *panels):
    axes.spines[["top", "right"]].set_visible(False)
lesson.plot(figure, "labels")

# %% [markdown]
# Dashed is what the labels tell of, solid what they don't. From scratch the solid line stays at chance however many
# labels there are: nothing says that "teacher" is like "doctor". Whoever has read knows, since both are clever and
# tired and neither is wooden. BERT reads more slowly: it predicts one word in seven, where GPT predicts each,
# and it must first find out which position to look at. The second fall of its loss, on the left, is when it has.
#
# ## What it has understood
# The vectors of the nouns (their *embeddings*), after reading and before any label: all of them, in their two largest
# directions (*principal component analysis*, PCA).

# %%
figure = new_figure(10.5, 3.8)
for axes, kind in zip(figure.subplots(1, 2), KINDS):
    projected = PCA(2).fit_transform(tables[kind][[NUMBERS[noun] for noun in (*ALIVE, *THINGS)]])
    for (x, y), noun in zip(projected, (*ALIVE, *THINGS)):
        axes.scatter(x, y, color=INK if noun in ALIVE else SECOND, s=8)
        axes.annotate(noun, (x, y), fontsize=6, xytext=(2, 2), textcoords="offset points")
    axes.set(title=f"{kind}: nouns after reading", xticks=[], yticks=[])
lesson.plot(figure, "nouns")

# %% [markdown]
# ## Nothing hidden, nothing learned
# Let BERT see every word and ask it for every word. Its loss falls to nothing, far below an honest reader's. It
# copies, and copying asks for no understanding: what it is taught afterwards stays with the taught nouns.

# %%
pupil, copying = copied(lesson.seed)
blind = taught(pupil, 200, lesson.seed)[1]
lesson.claim("loss of reading with nothing hidden", copying[-1], "<=", 0.05, baseline={"hidden": losses["bert"][-1]})
lesson.claim(
    "its accuracy about other nouns, 200 labels",
    blind,
    "<=",
    0.7,
    baseline={"hidden": found["bert", "read first"][0, at, 1]},
)

# %% [markdown]
# ## How large, and what it costs
# A block of width $d$ has $12 d^2$ weights and $13 d$ biases and scales (tutorial 22). Before you run it: how large is
# GPT-3, with 96 blocks of width 12,288 and 2,048 positions (Brown 2020, Table 2.1)?
#
# Training takes about six floating-point operations for each parameter and each token: two forward, four back. GPT-3
# read 300 billion tokens. A V100 manages perhaps 28 TFLOP/s of this, and rents for some 1.50 dollars an hour: these two
# figures are estimates that were published at the time, not ours.


# %%
def parameters(vocabulary, positions, num_layers, width):
    """Of the tokens and positions, of the blocks, of the last normalisation."""
    return (vocabulary + positions) * width + num_layers * (12 * width**2 + 13 * width) + 2 * width


sizes = {"gpt2": (12, 768), "gpt2_medium": (24, 1_024), "gpt2_large": (36, 1_280), "gpt2_xl": (48, 1_600)}
for name in (*sizes, "bert_base", "bert_large"):
    print(f"{name:>12} {zoo.info(name).params:>13,}")
off = max(abs(parameters(50_257, 1_024, *size) - zoo.info(name).params) for name, size in sizes.items())
lesson.claim("parameters of the four GPT-2 that the formula is off by", off, "==", 0, exact=True)
gpt3 = parameters(50_257, 2_048, 96, 12_288)
lesson.claim("GPT-3, relative difference of the formula to 175 billion", abs(gpt3 / 175e9 - 1), "<=", 0.01, exact=True)
seconds = 6 * 175e9 * 300e9 / 28e12
years = seconds / (365 * 24 * 3600)
lesson.claim("years on one GPU, off 356 by", abs(years - 356), "<=", 1, baseline={"years": years}, exact=True)
print(f"{years:.0f} years, {seconds / 3600 * 1.5 / 1e6:.2f} million dollars")

# %% [markdown]
# ## Try it
# * Hide half of the words, or one in fifty. Which reads best in the same time?
# * Freeze what was read (`zoo.freeze(pupil)`) and teach the last layer alone (a *linear probe*). How many labels does
#   it want?
# * Give the sentences of the task their adjectives. Why does the network without reading catch up?

# %%
lesson.finish()
