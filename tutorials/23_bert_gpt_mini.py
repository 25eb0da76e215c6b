# %% [markdown]
# # 23 · BERT and GPT, in small: read first, be taught later
#
# Labels are dear and text is free. So let a network first read much plain text and learn to predict what is missing in
# it. This is **pretraining**. It is **self-supervised**, for the text is its own label. What the network had to find
# out for that, a few labels can then put to use by fine-tuning (lesson 13).
#
# **GPT** reads from left to right and predicts the next word: **causal language modelling** (Radford, Narasimhan,
# Salimans and Sutskever 2018,
# [paper](https://cdn.openai.com/research-covers/language-unsupervised/language_understanding_paper.pdf)). **BERT** sees
# the whole sentence with some words hidden and predicts those: **masked language modelling** (MLM; Devlin, Chang, Lee
# and Toutanova 2018, [arXiv:1810.04805](https://arxiv.org/abs/1810.04805)).
#
# **You will see** why a network that knows nothing starts at a loss of ln V, how words are hidden, what a network has
# understood of words that nobody explained, accuracy against the number of labels with and without pretraining, what
# happens if nothing is hidden (the failure of this lesson), and how large GPT-2 and GPT-3 are, with the bill.
#
# **Claims** The loss begins within 5 % of ln V. Of the words that BERT must predict 80 % are hidden, 10 % are replaced
# and 10 % stay. With 200 labels, about words that have none of them, both networks are at least 20 points better if
# they have read before, in the worst of three seeds. With nothing hidden the loss falls to nothing, and the reading is
# of no use. With a memory, a token is noticed one segment further for each layer. The formula counts the parameters of
# GPT to the last one.
#
# **Beside them** chance, counts of words with a logistic regression, and the same networks without pretraining.
#
# **Takes** 5.2 minutes on one core (AMD EPYC).

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
#
# Here a token is a word. The real BERT and GPT split rare words into parts, **subwords**: "unhappiness" may become
# "un", "happi" and "ness". So a vocabulary of some 30,000 to 50,000 pieces can write any word
# (Sennrich, Haddow and Birch 2016, [arXiv:1508.07909](https://arxiv.org/abs/1508.07909)).

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
# Each is one half of the Transformer (lesson 22). GPT is the decoder without a source, BERT is the encoder. The zoo's
# `gpt` and `bert_base` are built here with two blocks, 64 wide. What differs is where a position may look: GPT only
# back (the causal mask), BERT everywhere. So GPT can predict the next word at every position. BERT could not, for it
# sees the next word; it predicts words that are hidden from it, through a layer that is thrown away after reading. To
# answer the question, GPT uses its state after the last word and BERT its state at the first.
#
# GPT's matrix of logits is the matrix of its embeddings, used backwards (**weight tying**, Press and Wolf 2017,
# [arXiv:1608.05859](https://arxiv.org/abs/1608.05859)): a word is likely where the state points in its direction. Both
# networks *learn* a vector for each position, where lesson 22 has sines. They never see a text longer than
# `max_length`, so there is no need for a formula that goes on; Vaswani and colleagues tried both and found nearly the
# same results.
#
# ## How words are hidden
# Of the words of a sentence, 15 % are chosen, anew each time the sentence is read, and the loss counts at these alone.
# If all of them became `[hidden]`, BERT would learn to say something about `[hidden]` and nothing else; but when it is
# taught later, no word is hidden. So Devlin and colleagues (section 3.1) hide 80 % of the chosen words, replace 10 % by
# any word, and leave 10 % as they are. The network cannot know which word it will be asked about, and must keep
# something about each.


# %%
def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


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
    """BERT's input, its targets, and where those count: at the chosen words, most of which are hidden."""
    chosen = (rng.random(x.shape) < fraction) & (x > 0)
    draw, any_word = rng.random(x.shape), rng.integers(HIDDEN + 1, len(VOCABULARY), x.shape)
    given = np.where(draw < 0.8, HIDDEN, np.where(draw < 0.9, any_word, x))  # 80 %, 10 %, 10 %
    return np.where(chosen, given, x), x, chosen.astype("float32")


inputs, targets, counts = hide(x_plain, np.random.default_rng(lesson.seed))
for row in range(3):
    shown = [VOCABULARY[token].upper() if at else VOCABULARY[token] for token, at in zip(inputs[row], counts[row])]
    print(" ".join(shown).strip())  # capitals: it must predict what stood there
at = counts > 0
fractions = {
    "chosen words": (at.sum() / (x_plain > 0).sum(), 0.15),
    "of these, hidden": ((inputs == HIDDEN)[at].mean(), 0.8),
    "of these, another word": (((inputs != HIDDEN) & (inputs != x_plain))[at].mean(), 0.1),
    "of these, left as they are": ((inputs == x_plain)[at].mean(), 0.1),
}
for name, (fraction, wanted) in fractions.items():
    baseline = {"fraction": fraction}
    lesson.claim(f"{name}, off {wanted} by", abs(fraction - wanted), "<=", 0.02, baseline=baseline, exact=True)

# %% [markdown]
# ## The loss of knowing nothing
# A network with small random weights gives every word of a vocabulary of V about the same probability, 1/V. So its
# cross-entropy is $-\ln(1/V) = \ln V$, a perplexity of V. If yours starts elsewhere, something is wrong before the
# first step: logits that are too large, for one.

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
        f"{kind}: first loss against ln V, relative difference", abs(start / expected - 1), "<=", 0.05,
        baseline={"loss": start, "ln V": expected}, exact=True,
    )  # fmt: skip

# %% [markdown]
# ## Reading, and being taught
# Each network is taught twice on the same labels: once after it has read, once from scratch. The nouns of the test are
# those that no label tells of, and, beside them, those that the labels do tell of.

# %%
EPOCHS = {"gpt": 1, "bert": 1} if lesson.smoke else {"gpt": 4, "bert": 8}
STEPS, BATCH, RATE = (1, 512, 1e-3) if lesson.smoke else (150, 64, 2e-3)
LABELS = (200,) if lesson.smoke else (20, 200)
KINDS = ("gpt", "bert")


def read_first(kind, seed):
    """(the network that has read all of the plain text, the one to be taught, the loss after each epoch)"""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    reader, pupil = new(kind)
    compiled(reader, RATE)
    losses = []
    for _ in range(EPOCHS[kind]):  # other words are hidden each time
        inputs, targets, counts = next_words(x_plain) if kind == "gpt" else hide(x_plain, rng)
        history = reader.fit(inputs, targets, sample_weight=counts, batch_size=BATCH, verbose=0).history
        losses.append(history["loss"][0] * counts.size / counts.sum())  # Keras divides by all positions
    return reader, pupil, losses


def taught(pupil, seed):
    """Accuracies after some steps on each number of labels, (labels, 2): nouns that they tell of, and the others."""
    compiled(pupil, 1e-3)
    pupil.optimizer.build(pupil.trainable_variables)
    weights, moments = pupil.get_weights(), [numpy(variable) for variable in pupil.optimizer.variables]
    accuracies = []
    for count in LABELS:
        pupil.set_weights(weights)  # each time from the same start
        for variable, value in zip(pupil.optimizer.variables, moments):
            variable.assign(value)
        texts, labels = questions(count, True, seed)
        x, rng = numbers(texts), np.random.default_rng(seed)
        rows = np.concatenate([rng.permutation(count) for _ in range(-(-STEPS * 32 // count))])[: STEPS * 32]
        pupil.fit(x[rows], labels[rows], batch_size=32, shuffle=False, verbose=0)
        predicted = {kind: pupil.predict(x, batch_size=500, verbose=0).argmax(-1) for kind, x in x_test.items()}
        accuracies.append([float((predicted[kind] == y_test[kind]).mean()) for kind in predicted])
    return accuracies


def copied(seed):
    """BERT's reading with nothing hidden, every word to be predicted. (the network to be taught, the losses)"""
    keras.utils.set_random_seed(seed)
    reader, pupil = new("bert")
    counts = (x_plain > 0).astype("float32")
    reader = compiled(reader, RATE)
    history = reader.fit(
        x_plain, x_plain, sample_weight=counts, epochs=EPOCHS["bert"], batch_size=BATCH, verbose=0
    ).history
    return pupil, [float(loss) * counts.size / counts.sum() for loss in history["loss"]]


tables, losses = {}, {}
found = {}  # (kind, how) -> (seeds, labels, 2) accuracies
for kind in KINDS:
    for seed in lesson.seeds:
        reader, pupil, losses[kind] = read_first(kind, seed)
        (tables[kind],) = reader.get_layer("embedding").get_weights()  # copies: the labels will move them
        keras.utils.set_random_seed(seed)
        for how, each in (("read first", pupil), ("from scratch", new(kind)[1])):
            found.setdefault((kind, how), []).append(taught(each, seed))
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
        ">=", 0.20, baseline={"from scratch": scratch.mean(), "read first": read.mean(),
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
    axes.set(xscale="log", xticks=LABELS, xlabel="labels", ylabel="accuracy", ylim=(0.2, 1.03), title=kind)
    axes.set_xticks(LABELS, LABELS)
    axes.minorticks_off()
panels[0].legend(frameon=False, fontsize=7, loc="lower left")
for axes in (start, *panels):
    axes.spines[["top", "right"]].set_visible(False)
lesson.plot(figure, "labels")

# %% [markdown]
# Dashed is what the labels tell of, solid what they don't. From scratch the solid line stays near chance or below it,
# however many labels there are: nothing says that "teacher" is like "doctor". Whoever has read knows, since both are
# clever and tired and neither is wooden. BERT needs more epochs: it predicts one word in seven of what it reads, where
# GPT predicts each.
#
# ## What it has understood
# The embeddings of the nouns, after reading and before any label: all of them, in the two directions in which they
# differ most (principal component analysis, PCA).

# %%
figure = new_figure(10.5, 3.8)
for axes, kind in zip(figure.subplots(1, 2), KINDS):
    projected = PCA(2).fit_transform(tables[kind][[NUMBERS[noun] for noun in (*ALIVE, *THINGS)]])
    for (x, y), noun in zip(projected, (*ALIVE, *THINGS)):
        axes.scatter(x, y, color=INK if noun in ALIVE else SECOND, s=8)
        axes.annotate(noun, (x, y), fontsize=6, xytext=(2, 2), textcoords="offset points")
    axes.set(title=f"{kind}: nouns after reading", xticks=[], yticks=[])
    axes.margins(x=0.12)
lesson.plot(figure, "nouns")

# %% [markdown]
# ## Nothing hidden, nothing learned
# Let BERT see every word and ask it for every word. Its loss falls to nothing, far below that of a reader who must
# guess. It copies, and copying asks for no understanding: what it is taught afterwards stays with the taught nouns.
# Nothing else is changed, so hiding is the cause.

# %%
pupil, copying = copied(lesson.seed)
blind = taught(pupil, lesson.seed)[at][1]
baseline = {"hidden": losses["bert"][-1]}
lesson.claim("nothing hidden: loss of reading", copying[-1], "<=", 0.05, baseline=baseline)
lesson.claim(
    "nothing hidden: accuracy about other nouns, 200 labels",
    blind,
    "<=",
    0.7,
    baseline={"hidden": found["bert", "read first"][0, at, 1]},
)

# %% [markdown]
# ## Beyond the window
# GPT has no vector for a position behind its last, and what stands before its window it cannot see. Transformer-XL
# (Dai and others 2019, [arXiv:1901.02860](https://arxiv.org/abs/1901.02860)) cuts a text into segments. Each layer also
# looks at what went into that same layer in the segment before (**segment-level recurrence**), though no gradient goes
# back there. Those states had looked one segment back in their turn, so a token is noticed one segment later for each
# layer. As "position 3" would be another word in each segment, a score depends on how far two words are apart
# (**relative positions**). Expected of three layers and segments of four: a token of the first segment, changed, moves
# logits in that segment and in the three after it.


# %%
def last_moved(memory_length):
    """The last segment whose logits differ when the token at position 1 is another, of six segments of four."""
    keras.utils.set_random_seed(lesson.seed)
    sizes = dict(vocabulary_size=50, num_layers=3, dim=32, num_heads=4, mlp_dim=64, dropout=0.0)
    model = zoo.build("transformer_xl", input_shape=(24,), segment_length=4, memory_length=memory_length, **sizes)
    text = np.random.default_rng(lesson.seed).integers(2, 50, (2, 24))
    text[1] = text[0]
    text[1, 1] += 1 if text[1, 1] < 49 else -1
    one, other = keras.ops.convert_to_numpy(model(text.astype("int32")))
    return int(np.flatnonzero((one != other).any(-1)).max()) // 4


reach = {memory: last_moved(memory) for memory in (0, 4)}
print("the last segment that notices, by the length of the memory:", reach)
lesson.claim(
    "segments after its own that notice a token", reach[4], "==", 3, baseline={"no memory": reach[0]}, exact=True
)

# %% [markdown]
# ## How large, and what it costs
# A block of width $d$ has four matrices $d \times d$ of attention, with their biases $4 d$; two matrices of the
# feed-forward network, $d \times 4d$ and $4d \times d$, with $5 d$ biases; and two normalisations of $2 d$ each. That
# is $12 d^2 + 13 d$. Before the blocks come the embeddings of tokens and positions, after them one more normalisation.
# Before you run it: how large is GPT-3, with 96 blocks of width 12,288 and 2,048 positions (Brown and others 2020,
# [arXiv:2005.14165](https://arxiv.org/abs/2005.14165), Table 2.1)?


# %%
def parameters(vocabulary, positions, num_layers, width):
    """Of the tokens and positions, of the blocks, of the last normalisation."""
    return (vocabulary + positions) * width + num_layers * (12 * width**2 + 13 * width) + 2 * width


off = 0
for num_layers, width in ((1, 32), (2, 64), (3, 128)):
    built = zoo.build(
        "gpt", vocabulary_size=1000, max_length=50, input_shape=(50,), num_layers=num_layers, dim=width, num_heads=4
    )
    off = max(off, abs(built.count_params() - parameters(1000, 50, num_layers, width)))
lesson.claim("parameters of three small GPTs that the formula is off by", off, "==", 0, exact=True)
for name in ("gpt", "gpt2", "gpt2_medium", "gpt2_large", "gpt2_xl", "bert_base", "bert_large"):
    print(f"{name:>12} {zoo.info(name).params:>15,}")
gpt3 = parameters(50_257, 2_048, 96, 12_288)
print(f"{'GPT-3':>12} {gpt3:>15,}  by the formula")
print(f"GPT-3 has {gpt3 / zoo.info('gpt2_xl').params:.0f} times the parameters of the largest GPT-2 "
      f"(by the rounded numbers, 175 and 1.5 billion: {175 / 1.5:.1f} times)")  # fmt: skip
lesson.claim("GPT-3: parameters off 175 billion, relative", abs(gpt3 / 175e9 - 1), "<=", 0.005, exact=True)

# %% [markdown]
# Training takes about six floating-point operations for each parameter and each token, two forward and four back
# (Kaplan and others 2020, [arXiv:2001.08361](https://arxiv.org/abs/2001.08361), who also found how the loss falls with
# size and data: **scaling laws**). GPT-3 read 300 billion tokens. What follows is arithmetic, not a measurement: a V100
# GPU is said to manage 28 TFLOP/s and to rent for 1.50 dollars an hour (C. Li,
# [Lambda 2020](https://lambda.ai/blog/demystifying-gpt-3)).

# %%
seconds = 6 * gpt3 * 300e9 / 28e12
years, million_dollars = seconds / (365 * 24 * 3600), seconds / 3600 * 1.5 / 1e6
print(f"{years:.0f} years on one GPU, {million_dollars:.1f} million dollars")
lesson.claim("GPT-3: years on one GPU, off the 355 of the estimate", abs(years - 355), "<=", 2, exact=True)
lesson.claim("GPT-3: million dollars, off the 4.6 of the estimate", abs(million_dollars - 4.6), "<=", 0.1, exact=True)

# %% [markdown]
# ## Try it
# * Hide half of the words: `hide(x_plain, rng, fraction=0.5)` in `read_first`. What becomes of the loss, and of what
#   the labels can use?
# * Freeze what was read and teach the last layer alone (a linear probe, lesson 13): `zoo.freeze(pupil)` before
#   `compiled(pupil, 1e-3)` in `taught`. How much of the gain is left?
# * Give the sentences of the task their adjectives: `adjectives=0.8` in `questions`. Why does the network without
#   reading catch up?
#
# <details><summary>Solution</summary>
#
# * Expect a higher loss, since half of the words that would help are hidden too. But it is paid at more words of each
#   sentence, so the network gets more to learn from in an epoch. 15 % is what Devlin and colleagues chose, not a law.
# * The state at the first word (BERT) or after the last (GPT) was never asked whether the subject lives. The last layer
#   alone can use no more than what reading left there.
# * Four sentences of five then say by an adjective what the subject is, and the labels tell of every adjective. Nobody
#   needs to know the noun.
#
# </details>

# %%
lesson.finish()
