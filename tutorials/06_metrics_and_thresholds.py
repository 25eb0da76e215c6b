# %% [markdown]
# # 06 · Metrics and thresholds: how good is a classifier?
#
# "It is right in 91 % of the cases." Is that good? A program that never finds a tumour can say the same. This lesson
# counts mistakes by their kind, asks what each kind costs, and then chooses where to draw the line between yes and no.
# Every number is computed twice: once by us, and once by scikit-learn or Keras.
#
# **You will see** the four counts behind all measures, a model with a high accuracy that misses nearly everything (the
# failure of this lesson) and the cure, ROC curves, a model that is right and too sure, and a roulette wheel.
#
# **Claims** 60 and 40 examples, 50 found and 40 of them right: accuracy .70, precision .80, recall .667. Tumours: .91,
# .5, .11. Recall never rises with the threshold. The area under the ROC curve is the chance that a positive example
# scores higher than a negative one. The cheapest threshold is set by the costs.
#
# **Beside them** what "always no" gets.
#
# **Takes** 10 seconds on one core (AMD EPYC).
#
# **Read on** T. Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 27, 2006
# ([doi:10.1016/j.patrec.2005.10.010](https://doi.org/10.1016/j.patrec.2005.10.010)). C. Guo et al., "On Calibration of
# Modern Neural Networks", 2017 ([arXiv:1706.04599](https://arxiv.org/abs/1706.04599)). Goodfellow, Bengio and
# Courville, *Deep Learning*, 2016, section 11.1.

# %%
import keras
import numpy as np
from lesson import Tutorial
from scipy.stats import rankdata
from sklearn import metrics
from sklearn.tree import DecisionTreeClassifier

import zoo
from zoo.metrics.classification import calibration_error
from zoo.plots import INK, SECOND, THIRD, new_figure

lesson = Tutorial("06_metrics_and_thresholds")

# %% [markdown]
# ## Four counts
# We look for one class, the **positive** one; the rest is **negative**. There are two ways to be right and two ways to
# be wrong. "True" or "false" says whether the answer was right; "positive" or "negative" says what the answer was:
#
# | | answer: positive | answer: negative |
# |---|---|---|
# | it is positive | **true positive**, TP | **false negative**, FN: missed |
# | it is negative | **false positive**, FP: a **false alarm** | **true negative**, TN |
#
# This table is the **confusion matrix**. From it come
#
# * **accuracy** $= (TP + TN) / \text{all}$: how many answers are right?
# * **precision** $= TP / (TP + FP)$: of those that it found, how many are right?
# * **recall** $= TP / (TP + FN)$: of those that are there, how many did it find? (Also **true positive rate**, TPR, or
#   **sensitivity**.)
# * **false positive rate** $= FP / (FP + TN)$, FPR: of the negative ones, how many gave a false alarm?
# * the **F1 score**, the harmonic mean of precision and recall, $2PR / (P + R)$. It is low if one of them is low.
#
# Example 1: 60 **positive examples** and 40 **negative examples**. The system finds 50, and 40 of these are right. So
# $TP = 40$, $FP = 10$, $FN = 20$, $TN = 30$.
#
# Example 2: 100 tumours, 91 harmless and 9 malignant (positive). The system finds one of the malignant, and raises one
# false alarm. Its accuracy is .91. So is the accuracy of a system that always says "harmless"! Where one class is rare
# (**class imbalance**), accuracy looks at the common class. Precision and recall look at the rare one. So does the
# **balanced accuracy**, the mean of the two classes' recalls: .5 for any answer that is always the same.


# %%
def examples(tp, fp, fn, tn):
    """Truth and answers that give these four counts."""
    return np.repeat([1, 0, 1, 0], (tp, fp, fn, tn)), np.repeat([1, 1, 0, 0], (tp, fp, fn, tn))


def measures(truth, answer):
    truth, answer = np.asarray(truth, bool), np.asarray(answer, bool)
    tp, fp, fn, tn = (truth & answer).sum(), (~truth & answer).sum(), (truth & ~answer).sum(), (~truth & ~answer).sum()
    precision, recall = tp / max(tp + fp, 1), tp / max(tp + fn, 1)
    return {
        "accuracy": (tp + tn) / (tp + fp + fn + tn),
        "precision": precision,
        "recall": recall,
        "false positive rate": fp / (fp + tn),
        "F1": 2 * precision * recall / max(precision + recall, 1e-12),
        "balanced accuracy": (recall + tn / (fp + tn)) / 2,
    }


DEMOS = {"60 and 40": examples(tp=40, fp=10, fn=20, tn=30), "tumours": examples(tp=1, fp=1, fn=8, tn=90)}
for name, (truth, answer) in DEMOS.items():
    print(f"{name}:", ", ".join(f"{key} {value:.3f}" for key, value in measures(truth, answer).items()))

figure = new_figure(7, 3)
for axes, (name, (truth, answer)) in zip(figure.subplots(1, 2), DEMOS.items()):
    counts = metrics.confusion_matrix(truth, answer, labels=(1, 0))
    axes.imshow(counts, cmap="Blues", vmax=1.6 * counts.max())
    for (row, column), count in np.ndenumerate(counts):
        axes.text(column, row, f"{('TP', 'FN', 'FP', 'TN')[2 * row + column]}\n{count}", ha="center", va="center")
    axes.set(title=name, xticks=(0, 1), xticklabels=("answer: yes", "answer: no"), yticks=(0, 1))
    axes.set_yticklabels(("is: yes", "is: no"))
lesson.plot(figure, "confusion")

ours = measures(*DEMOS["60 and 40"])
lesson.claim("60 and 40: accuracy", round(ours["accuracy"], 3), "==", 0.70, exact=True)
lesson.claim("60 and 40: precision", round(ours["precision"], 3), "==", 0.80, exact=True)
lesson.claim("60 and 40: recall", round(ours["recall"], 3), "==", 0.667, exact=True)
lesson.claim("60 and 40: false positive rate", round(ours["false positive rate"], 3), "==", 0.25, exact=True)
ours = measures(*DEMOS["tumours"])
lesson.claim("tumours: accuracy", round(ours["accuracy"], 2), "==", 0.91, baseline={"always no": 0.91}, exact=True)
lesson.claim("tumours: precision", round(ours["precision"], 2), "==", 0.5, exact=True)
lesson.claim("tumours: recall", round(ours["recall"], 2), "==", 0.11, exact=True)
balanced = round(ours["balanced accuracy"], 2)
lesson.claim("tumours: balanced accuracy", balanced, "==", 0.55, baseline={"always no": 0.5}, exact=True)

random = np.random.default_rng(lesson.seed)
truth, answer = random.random(500) < 0.3, random.random(500) < 0.4
ours = measures(truth, answer)
by_sklearn = {
    "accuracy": metrics.accuracy_score(truth, answer),
    "precision": metrics.precision_score(truth, answer),
    "recall": metrics.recall_score(truth, answer),
    "F1": metrics.f1_score(truth, answer),
    "balanced accuracy": metrics.balanced_accuracy_score(truth, answer),
}
difference = max(abs(ours[name] - value) for name, value in by_sklearn.items())
lesson.claim("500 random answers, five measures, ours less scikit-learn", difference, "<=", 1e-12, exact=True)
by_keras = {"precision": keras.metrics.Precision(), "recall": keras.metrics.Recall()}
for metric in by_keras.values():
    metric.update_state(truth, answer)
difference = max(abs(ours[name] - float(metric.result())) for name, metric in by_keras.items())
lesson.claim("500 random answers, precision and recall, ours less Keras", difference, "<=", 1e-6, exact=True)

# %% [markdown]
# ## A classifier gives a probability
# **Logistic regression** is one neuron with a sigmoid. $z = w \cdot x + b$ is the logit (also **log-odds**), and
# $p = \sigma(z)$ the probability of the positive class. Its loss is the cross-entropy for two classes, the **binary
# cross-entropy**
#
# $$L = -\left[\,y \ln p + (1 - y) \ln (1 - p)\,\right].$$
#
# (To make it small is to make the **likelihood** of the labels *large*: the sign is easily lost.) Its gradient with
# respect to $z$ is $p - y$ once more (lesson 02), so with respect to $w$ it is $(p - y)\,x$. Twenty steps of gradient
# descent, ours and Keras's, on 398 tumours with 30 measurements each. (In these data class 1 is "harmless"; we turn it
# round: positive is malignant.)


# %%
def arrays(split):
    x, y = zip(*zoo.load_data("breast_cancer", split=split, batch_size=1000).as_numpy_iterator())
    return np.concatenate(x), 1 - np.concatenate(y)


(x, y), (x_test, y_test) = arrays("train"), arrays("test")


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def fresh(seed, inputs):
    keras.utils.set_random_seed(seed)
    model = zoo.build("logistic_regression", input_shape=(inputs,))
    model.compile(keras.optimizers.SGD(0.5), keras.losses.BinaryCrossentropy(from_logits=True))
    return model


model = fresh(lesson.seed, 30)
w, b = (each.astype("float64") for each in model.get_weights())
for _ in range(20):
    error = sigmoid(x @ w + b) - y[:, None]  # p - y
    w, b = w - 0.5 * x.T @ error / len(x), b - 0.5 * error.mean(0)
    model.train_on_batch(x, y[:, None])
difference = max(np.abs(ours - theirs).max() for ours, theirs in zip((w, b), model.get_weights()))
lesson.claim("logistic regression, 20 steps, ours less Keras", difference, "<=", 1e-6, exact=True)


def logits_of(model, x):
    return keras.ops.convert_to_numpy(model(x))[:, 0]


def train(model, x, y, epochs):
    model.compile(keras.optimizers.Adam(0.03), keras.losses.BinaryCrossentropy(from_logits=True))
    model.fit(x, y, batch_size=64, epochs=1 if lesson.smoke else epochs, verbose=0)
    return model


tumours = [logits_of(train(fresh(seed, 30), x, y, epochs=15), x_test) for seed in lesson.seeds]

# %% [markdown]
# ## The threshold
# The model says .7. Is that a yes? We choose a **threshold** and say yes above it. One half is a habit, not a law.
#
# Take ten mails. The score says how much each looks like spam. Raise the threshold step by step. Fewer mails are called
# spam, so true positives can only be lost: **recall never rises**. Precision mostly rises, but not always: if the mail
# that drops out was spam, precision falls. In this list the mail with the highest score is no spam, so at the end
# precision falls to 0.

# %%
spam = np.array([0, 0, 0, 1, 0, 1, 1, 0, 1, 0])
scores = np.array([0.05, 0.1, 0.2, 0.35, 0.4, 0.55, 0.6, 0.7, 0.9, 0.95])
thresholds = np.concatenate([[0.0], (scores[1:] + scores[:-1]) / 2])
points = [measures(spam, scores > threshold) for threshold in thresholds]
precisions, recalls = (np.array([point[key] for point in points]) for key in ("precision", "recall"))
print("threshold " + " ".join(f"{each:5.2f}" for each in thresholds))
print("precision " + " ".join(f"{each:5.2f}" for each in precisions))
print("recall    " + " ".join(f"{each:5.2f}" for each in recalls))
rose, fell = int((np.diff(recalls) > 0).sum()), int((np.diff(precisions) < 0).sum())
lesson.claim("ten mails, times that recall rose with the threshold", rose, "==", 0, exact=True)
lesson.claim("ten mails, times that precision fell", fell, ">=", 1, exact=True)

# %% [markdown]
# ## What does a mistake cost?
# A lost letter from a friend is worse than one more spam mail. Say a false alarm costs $c_{FP}$ and a miss $c_{FN}$.
# For an example with probability $p$, "yes" costs $(1 - p)\,c_{FP}$ on average, and "no" costs $p\,c_{FN}$. So
# "yes" is cheaper if
#
# $$p > \frac{c_{FP}}{c_{FP} + c_{FN}}.$$
#
# With equal costs that is one half. If a false alarm costs ten times as much as a miss, it is $10/11 = .91$. We check
# it on 200,000 generated examples whose true probability we know: two clouds of points, 30 % in the positive one.


# %%
def clouds(count, share, seed):
    """Points in the plane, labels, and the true logit of the positive class."""
    random = np.random.default_rng(seed)
    y = (random.random(count) < share).astype(int)
    x = random.normal(size=(count, 2)) + 1.2 * y[:, None]
    logit = np.log(share / (1 - share)) + 1.2 * x.sum(1) - 1.44  # Bayes' rule for two normal distributions
    return x.astype("float32"), y, logit


_, label, logit = clouds(200_000, 0.3, lesson.seed)
chance = sigmoid(logit)
grid = np.arange(0.01, 1.0, 0.01)
order = np.argsort(chance)
positives_below = np.concatenate([[0], np.cumsum(label[order])])  # among the k least probable examples
place = np.searchsorted(chance[order], grid, side="right")
misses = positives_below[place]
alarms = (len(label) - place) - (label.sum() - misses)

figure = new_figure(7, 3.4)
axes = figure.subplots()
cheapest = {}
for (alarm, miss), colour in {(1, 1): INK, (10, 1): SECOND, (1, 10): THIRD}.items():
    cost = (alarm * alarms + miss * misses) / len(label)
    cheapest[alarm, miss] = grid[cost.argmin()]
    axes.plot(grid, cost, color=colour, label=f"alarm {alarm}, miss {miss}: cheapest at {grid[cost.argmin()]:.2f}")
    axes.plot(grid[cost.argmin()], cost.min(), "o", color=colour)
axes.set(xlabel="threshold", ylabel="mean cost of an example", yscale="log", title="the costs choose the threshold")
axes.legend(frameon=False, fontsize=9)
lesson.plot(figure, "cost")
distance = max(abs(found - alarm / (alarm + miss)) for (alarm, miss), found in cheapest.items())
lesson.claim("cheapest thresholds less the formula's, largest distance", distance, "<=", 0.05, exact=True)

# %% [markdown]
# ## The failure: accuracy of a rare class
# Now only 3 % are positive. We train logistic regression and leave the threshold at one half. Expected: its accuracy
# looks excellent, is hardly above that of "always no", and it misses most of what we look for. Nothing is wrong with
# the model. What is wrong is the question: at one half it says yes only where positives are the *majority*. If a miss
# costs 30 times a false alarm, the formula says $1/31 = .032$.

# %%
x_rare, y_rare, _ = clouds(6000, 0.03, lesson.seed)
x_new, y_new, _ = clouds(20_000, 0.03, lesson.seed + 1000)
at_half, at_cost, models = [], [], []
for seed in lesson.seeds:
    logits = logits_of(train(fresh(seed, 2), x_rare, y_rare, epochs=4), x_new)
    models.append(logits)
    at_half.append(measures(y_new, sigmoid(logits) > 0.5))
    at_cost.append(measures(y_new, sigmoid(logits) > 1 / 31))


def mean_cost(point, share):
    return 30 * share * (1 - point["recall"]) + (1 - share) * point["false positive rate"]


share = float(y_new.mean())
for name, points in (("threshold 1/2", at_half), ("threshold 1/31", at_cost)):
    cost = np.mean([mean_cost(point, share) for point in points])
    means = [f"{key} {np.mean([point[key] for point in points]):.3f}" for key in points[0]]
    print(f"{name}: {', '.join(means)}, cost {cost:.2f}")
gained = max(point["accuracy"] for point in at_half) - (1 - share)
always_no = {"always no": 1 - share}
lesson.claim("rare class, accuracy at 1/2 less that of always no", gained, "<=", 0.01, baseline=always_no)
lesson.claim("rare class, recall at 1/2, best seed", max(point["recall"] for point in at_half), "<=", 0.4)
worst = min(point["recall"] for point in at_cost)
nothing = {"always no": 0}
lesson.claim("rare class, recall at the threshold of the costs, worst seed", worst, ">=", 0.65, baseline=nothing)
worst = max(mean_cost(cheap, share) / mean_cost(half, share) for cheap, half in zip(at_cost, at_half))
lesson.claim("rare class, cost there over cost at 1/2, worst seed", worst, "<=", 0.75)

# %% [markdown]
# ## All thresholds at once: ROC
# Draw the true positive rate against the false positive rate, with one point for each threshold: the **ROC curve**
# (receiver operating characteristic). A perfect model goes up the left side; a coin goes along the diagonal. The **area
# under the curve** (**AUC**) is one number for all thresholds. It has a plain meaning: take one positive and one
# negative example at random; the AUC is the chance that the positive one has the higher score (half a point if they are
# equal). So only the *order* of the scores counts, and it can be computed from their ranks:
#
# $$AUC = \frac{R - n_+ (n_+ + 1)/2}{n_+ n_-},$$
#
# where $R$ is the sum of the ranks of the positive examples. We check all three: the area, the pairs, and the ranks.
#
# The ROC curve does not see how rare a class is, for each rate looks at one class alone. The **precision-recall curve**
# does: for a rare class, few false alarms among many negatives are many among the found ones. Its area is about the
# **average precision**.


# %%
def roc(truth, scores):
    """False and true positive rates, from the highest threshold to the lowest."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)  # equal scores are one threshold
    found = np.cumsum(truth[order])[ends]
    alarms = 1 + ends - found
    return np.append(0, alarms / (1 - truth).sum()), np.append(0, found / truth.sum())


def auc_of_ranks(truth, scores):
    positives = truth.sum()
    rank_sum = rankdata(scores)[truth == 1].sum()
    return (rank_sum - positives * (positives + 1) / 2) / (positives * (len(truth) - positives))


truth, scores = (np.arange(300) % 3 == 0).astype(int), np.round(random.normal(size=300) + (np.arange(300) % 3 == 0), 1)
area = np.trapezoid(*roc(truth, scores)[::-1])
pairs = np.mean([
    (scores[i] > scores[j]) + 0.5 * (scores[i] == scores[j])
    for i in np.flatnonzero(truth == 1) for j in np.flatnonzero(truth == 0)
])  # fmt: skip
by_sklearn = metrics.roc_auc_score(truth, scores)
lesson.claim("AUC as area less scikit-learn", abs(area - by_sklearn), "<=", 1e-9, exact=True)
lesson.claim("AUC as share of pairs less scikit-learn", abs(pairs - by_sklearn), "<=", 1e-9, exact=True)
lesson.claim("AUC from ranks less scikit-learn", abs(auc_of_ranks(truth, scores) - by_sklearn), "<=", 1e-9, exact=True)
squeezed = auc_of_ranks(truth, sigmoid(scores))
lesson.claim("AUC of logits less AUC of probabilities", abs(squeezed - by_sklearn), "<=", 1e-9, exact=True)

figure = new_figure(8, 3.8)
left, right = figure.subplots(1, 2)
both = (("tumours", y_test, tumours[0]), ("rare class", y_new, models[0]))
for (name, truth, scores), colour in zip(both, (INK, SECOND)):
    left.plot(*roc(truth, scores), color=colour, label=f"{name}, AUC {auc_of_ranks(truth, scores):.3f}")
    precision, recall, _ = metrics.precision_recall_curve(truth, scores)
    average = metrics.average_precision_score(truth, scores)
    right.plot(recall, precision, color=colour, label=f"{name}, average precision {average:.2f}")
left.plot((0, 1), (0, 1), color="black", linestyle=":", label="coin")
left.set(xlabel="false positive rate", ylabel="true positive rate (recall)", title="ROC")
right.set(xlabel="recall", ylabel="precision", title="the rare class is harder than ROC says", ylim=(0, 1.02))
left.legend(frameon=False, fontsize=8, loc="lower right")
right.legend(frameon=False, fontsize=8, loc="center", bbox_to_anchor=(0.55, 0.75))
lesson.plot(figure, "roc")
single = max(max(each, 1 - each) for each in (auc_of_ranks(y_test, column) for column in x_test.T))
worst = min(auc_of_ranks(y_test, each) for each in tumours)
lesson.claim("tumours, AUC, worst seed", worst, ">=", 0.98, baseline={"coin": 0.5, "best single measurement": single})
lost = np.mean([auc_of_ranks(y_new, each) - metrics.average_precision_score(y_new, each) for each in models])
lesson.claim("rare class, AUC less average precision", lost, ">=", 0.3)

# %% [markdown]
# ## Does .8 mean .8?
# A model is **calibrated** if, of all examples that it gives .8, eight in ten are positive. The **reliability diagram**
# shows it: probability said against share that came. We take the true probabilities of the clouds, and the same logits
# times 3. The order stays, so accuracy and AUC stay. But the second is far too sure (**overconfident**), and the
# formula of the costs gives wrong thresholds with it. The **expected calibration error** is the mean distance from the
# diagonal. (Large networks tend to be overconfident: Guo et al., 2017. A cure is to divide all logits by one number,
# chosen on the validation set: **temperature scaling**.)


# %%
def both_classes(logit):
    return np.stack([1 - sigmoid(logit), sigmoid(logit)], 1)


kinds = {"true probabilities": logit, "three times the logits": 3 * logit}
figure = new_figure(4.6, 4.2)
axes = figure.subplots()
axes.plot((0, 1), (0, 1), color="black", linestyle=":")
found = {}
for (name, z), colour in zip(kinds.items(), (INK, SECOND)):
    part = np.minimum((sigmoid(z) * 10).astype(int), 9)
    said, came = ([values[part == k].mean() for k in range(10)] for values in (sigmoid(z), label))
    found[name] = calibration_error(label, both_classes(z))
    axes.plot(said, came, color=colour, marker="o", label=f"{name}: error {found[name]:.3f}")
axes.set(xlabel="probability said", ylabel="share of positives that came", title="on the line: calibrated")
axes.legend(frameon=False, fontsize=9)
lesson.plot(figure, "calibration")
calm, sure = found.values()
lesson.claim("calibration error of the true probabilities", calm, "<=", 0.01, exact=True)
lesson.claim("calibration error of three times the logits", sure, ">=", 0.08, baseline={"true": calm}, exact=True)
change = abs(auc_of_ranks(label, logit) - auc_of_ranks(label, 3 * logit))
lesson.claim("change of the AUC by the factor 3", change, "<=", 1e-9, exact=True)

# %% [markdown]
# ## More than two classes: macro and micro
# Each class in turn is the positive one and has a precision, a recall and an F1. The **macro average** is the mean over
# the classes: each class counts the same. The **micro average** adds up the counts of all classes first: each example
# counts the same. If each example has one class, micro precision, micro recall, micro F1 and accuracy are one number.
# Example: classes of 90, 8 and 2 examples, and a model that never names the rarest.

# %%
truth = np.repeat([0, 1, 2], (90, 8, 2))
answer = np.concatenate([np.zeros(90), [1] * 6 + [0] * 2, [0, 1]]).astype(int)
by_class = [measures(truth == k, answer == k)["F1"] for k in range(3)]
macro, micro = np.mean(by_class), np.mean(truth == answer)
print(f"F1 by class {np.round(by_class, 3)}, macro {macro:.3f}, micro {micro:.3f}")
difference = abs(macro - metrics.f1_score(truth, answer, average="macro"))
lesson.claim("macro F1, ours less scikit-learn", difference, "<=", 1e-12, exact=True)
difference = abs(micro - metrics.f1_score(truth, answer, average="micro"))
lesson.claim("micro F1, accuracy less scikit-learn", difference, "<=", 1e-12, exact=True)
lesson.claim("micro less macro, for a model that never names the rarest class", micro - macro, ">=", 0.3, exact=True)

# %% [markdown]
# ## A small accuracy can be worth a lot
# A roulette wheel has 38 pockets. A guess is right with $1/38 = 2.6\,\%$. A model that watches the ball is right in
# 4 %. That sounds useless. But a win pays 35 times the stake, and returns it. So of each coin staked you keep on
# average (the **expected value**) $36 \cdot .04 - 1 = +.44$, in place of $36 / 38 - 1 = -.053$. What a number is worth
# depends on what is done with it.

# %%
model_keeps, guess_keeps = 36 * 0.04 - 1, 36 / 38 - 1
lesson.claim("roulette, kept of each coin, right in 4 %", round(model_keeps, 3), "==", 0.44, exact=True)
lesson.claim("roulette, kept of each coin, guessing", round(guess_keeps, 3), "==", -0.053, exact=True)

# %% [markdown]
# ## A classifier made of questions
# A **decision tree** asks one question after the other ("is the radius above 15?"). It chooses the question after which
# the parts are purest. There are two measures of how mixed a part is, with $p_k$ the share of class $k$:
#
# * **Gini impurity** $1 - \sum_k p_k^2$: 5 and 5 give .5, 10 and 0 give 0. For $K$ classes it is at most $1 - 1/K$, so
#   .5 is the most only for two.
# * **Shannon entropy** $-\sum_k p_k \log_2 p_k$, in bits. What a question takes away of it is its **information gain**.


# %%
def gini(counts):
    shares = np.array(counts) / np.sum(counts)
    return 1 - np.sum(shares**2)


def entropy(counts):
    shares = np.array(counts) / np.sum(counts)
    return -np.sum(shares[shares > 0] * np.log2(shares[shares > 0]))


counts = np.bincount(y)
difference = 0.0
for name, measure in (("gini", gini), ("entropy", entropy)):
    tree = DecisionTreeClassifier(criterion=name, max_depth=3, random_state=0).fit(x, y)
    difference = max(difference, abs(measure(counts) - tree.tree_.impurity[0]))
    print(f"tree by {name}: test accuracy {tree.score(x_test, y_test):.3f}; "
          f"first question lowers it from {tree.tree_.impurity[0]:.3f}")  # fmt: skip
lesson.claim("Gini impurity of 5 and 5", gini((5, 5)), "==", 0.5, exact=True)
lesson.claim("Gini impurity of 10 and 0", gini((10, 0)), "==", 0.0, exact=True)
lesson.claim("Gini impurity of ten equal classes", round(gini([1] * 10), 9), "==", 0.9, exact=True)
lesson.claim("Gini and entropy at the root, ours less scikit-learn", difference, "<=", 1e-9, exact=True)

# %% [markdown]
# ## Try it
# * A test for an illness finds 99 % of the ill, and 5 % of the healthy too. One person in a thousand is ill. What is
#   its precision?
#
# <details><summary>Solution</summary>
#
# Of 100,000 people 100 are ill: $TP = 99$, $FN = 1$, $FP = 4995$, $TN = 94905$.
# `measures(*examples(99, 4995, 1, 94905))` gives a precision of $99 / 5094 = .019$: of those who are told that they are
# ill, 98 in 100 are not.
# </details>
#
# * For the tumours, which threshold lets no malignant one pass? What is the precision there?
#
# <details><summary>Solution</summary>
#
# The lowest score of a malignant one: `least = tumours[0][y_test == 1].min()`, then
# `measures(y_test, tumours[0] >= least)`. Recall is 1 by construction. But it was chosen on the test set. Choose it on
# the validation set (`arrays("validation")`), and see that a recall of 1 there promises nothing for new tumours.
# </details>
#
# * Does it help the rare class to show it more often? Repeat each positive example 30 times in training.
#
# <details><summary>Solution</summary>
#
# Train on `np.concatenate([x_rare] + [x_rare[y_rare == 1]] * 29)` and labels to match. The recall at one half rises
# much, and the AUC stays about the same: it is the threshold that moved, in disguise. The price: the probabilities of
# the positive class are too large now. Their mean, `sigmoid(logits).mean()`, is far above the 3 % that come.
# </details>

# %%
lesson.finish()
