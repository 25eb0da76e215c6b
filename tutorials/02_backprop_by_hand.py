# %% [markdown]
# # 02 · Backpropagation by hand
#
# Lesson 01 let Keras compute the gradient. How does it do that for a million weights? The answer is one rule of school
# calculus, the **chain rule**, and a good order of work. In this lesson you do it by hand, then write the program that
# does it, in less than 60 lines, and hold it to Keras.
#
# **You will see** two calculations drawn as graphs with all their values and gradients, a network of the zoo
# differentiated by your own program, a program with one wrong character that cannot learn (the failure of this lesson),
# and why a computer cannot differentiate by taking very small steps.
#
# **Claims** The gradients of $3(a + bc)$ are 3, 6 and 9. In the graph of a sigmoid 1.37 stands where the gradient is
# -.53. Our program equals Keras to 1e-6, on 200 random expressions and on a network. The gradient of softmax with
# cross-entropy is $p - y$. A matrix has several norms, and all of them are checked.
#
# **Beside them** the gradient found by small steps, and the loss of a program that forgets to add.
#
# **Takes** 7 seconds on one core (AMD EPYC).
#
# **Read on** D. Rumelhart, G. Hinton and R. Williams, "Learning representations by back-propagating errors", Nature
# 323, 1986 ([doi:10.1038/323533a0](https://doi.org/10.1038/323533a0)). Goodfellow, Bengio and Courville, *Deep
# Learning*, 2016, section 6.5. The graph of the sigmoid is the one of Stanford's course CS231n.

# %%
import math

import keras
import numpy as np
from keras import ops
from lesson import Tutorial

import zoo
from zoo.backend import gradient
from zoo.plots import INK, SECOND, THIRD, new_figure

lesson = Tutorial("02_backprop_by_hand")

# %% [markdown]
# ## One calculation, step by step
# Take $J = 3(a + bc)$ with $a = 5$, $b = 3$ and $c = 2$. We calculate it in three steps, each of which does one thing:
#
# $$u = bc = 6, \qquad v = a + u = 11, \qquad J = 3v = 33.$$
#
# Draw each step as a point, with a line from each number that it needs: this is a **computation graph**. Going through
# it from the inputs to the result is the **forward pass**.
#
# Now ask of each input: if it grows a little, how much does $J$ grow? That is a **partial derivative**, and all of them
# together are the gradient. Each step has an easy answer of its own, its **local derivative**:
#
# $$\frac{dJ}{dv} = 3, \qquad \frac{dv}{da} = 1, \quad \frac{dv}{du} = 1, \qquad \frac{du}{db} = c = 2,
# \quad \frac{du}{dc} = b = 3.$$
#
# The **chain rule** says: along a way through the graph, multiply. We start at $J$ with 1 and go back, which is the
# **backward pass** (**backpropagation**):
#
# $$\frac{dJ}{da} = 3 \cdot 1 = 3, \qquad \frac{dJ}{db} = 3 \cdot 1 \cdot 2 = 6, \qquad \frac{dJ}{dc} = 3 \cdot 1 \cdot
# 3 = 9.$$
#
# Note what is reused: the 3 and the 1 are needed for $b$ and for $c$, and are calculated once.
#
# ## The program
# A `Number` remembers its value and, for each number that it was made from, the local derivative. `backward` visits
# each number after all those that were made from it (the **topological order**, turned round), and sends back its own
# gradient times the local derivative. A number that is used in two places gets two such messages. It must **add** them:
# if it grows, both places change. This way of working is called **automatic differentiation** in **reverse mode**.
# Among the functions that it knows is **tanh**, an S-shaped curve like the sigmoid, but from -1 to 1.


# %%
class Number:
    """A number that knows what it was made from: pairs of (number, local derivative)."""

    def __init__(self, value, parents=()):
        self.value, self.parents, self.grad = value, parents, 0.0

    def receive(self, message):
        self.grad += message

    def made(self, value, *parents):
        """A new number of the same kind."""
        return type(self)(value, [(p if isinstance(p, Number) else type(self)(p), local) for p, local in parents])

    def __add__(self, other):
        return self.made(self.value + value_of(other), (self, 1.0), (other, 1.0))

    def __mul__(self, other):
        return self.made(self.value * value_of(other), (self, value_of(other)), (other, self.value))

    def __sub__(self, other):
        return self + other * -1.0

    def reciprocal(self):
        return self.made(1 / self.value, (self, -1 / self.value**2))

    def exp(self):
        return self.made(math.exp(self.value), (self, math.exp(self.value)))

    def log(self):
        return self.made(math.log(self.value), (self, 1 / self.value))

    def tanh(self):
        return self.made(math.tanh(self.value), (self, 1 - math.tanh(self.value) ** 2))

    def sin(self):
        return self.made(math.sin(self.value), (self, math.cos(self.value)))

    def sigmoid(self):
        s = 1 / (1 + math.exp(-self.value))
        return self.made(s, (self, s * (1 - s)))

    def backward(self):
        """The gradient of this number with respect to every number that it was made from, into their `grad`."""
        order, seen = [], set()

        def visit(number):
            if id(number) not in seen:
                seen.add(id(number))
                for parent, _ in number.parents:
                    visit(parent)
                order.append(number)  # after all that it was made from

        visit(self)
        self.grad = 1.0
        for number in reversed(order):
            for parent, local in number.parents:
                parent.receive(number.grad * local)


def value_of(number):
    return number.value if isinstance(number, Number) else number


a, b, c = Number(5.0), Number(3.0), Number(2.0)
u = b * c
v = a + u
J = v * 3.0
J.backward()
print(f"J = {J.value:.0f}; gradients of a, b, c: {a.grad:.0f}, {b.grad:.0f}, {c.grad:.0f}")

# %% [markdown]
# ## A sigmoid taken apart
# A neuron with two inputs is $f = \sigma(w_0 x_0 + w_1 x_1 + w_2)$; its bias is called $w_2$ here. With
# $\sigma(s) = 1 / (1 + e^{-s})$ the graph has more steps, and each is still easy. The local derivative of $1/x$ is
# $-1/x^2$. At $x = 1.37$ that is $-1/1.37^2 = -.53$: the first gradient that goes back. Follow it to the left.
# Black is what the forward pass found, red below it is what the backward pass found.


# %%
def draw_graph(axes, places, title):
    """The graph of named numbers: {name: (number, x, y)}; value in black, gradient in red."""
    where = {id(number): (x, y) for number, x, y in places.values()}
    for number, x, y in places.values():
        for parent, _ in number.parents:
            if id(parent) in where:
                axes.annotate(
                    "", (x, y), where[id(parent)],
                    arrowprops={"arrowstyle": "->", "color": THIRD, "shrinkA": 24, "shrinkB": 24},
                )  # fmt: skip
    for name, (number, x, y) in places.items():
        axes.text(x, y + 0.13, name, ha="center", va="bottom", color=THIRD, fontsize=9)
        axes.text(x, y, f"{number.value:.4g}", ha="center", va="center", color="black", fontsize=11)
        axes.text(x, y - 0.13, f"{number.grad:.3g}", ha="center", va="top", color=SECOND, fontsize=11)
    xs, ys = zip(*where.values())
    axes.set(xlim=(min(xs) - 0.5, max(xs) + 0.5), ylim=(min(ys) - 0.5, max(ys) + 0.5), title=title)
    axes.axis("off")


w0, x0, w1, x1, w2 = (Number(value) for value in (2.0, -1.0, -3.0, -2.0, -3.0))
p, q = w0 * x0, w1 * x1
pq = p + q
s = pq + w2
minus = s * -1.0
e = minus.exp()
below = e + 1.0
f = below.reciprocal()
f.backward()

figure = new_figure(12, 6.2)
first, second = figure.subplots(2, 1, height_ratios=(1, 1.5))
draw_graph(
    first,
    {"a": (a, 0, 1), "b": (b, 0, 0.3), "c": (c, 0, -0.4), "u = bc": (u, 1, 0), "v = a + u": (v, 2, 0.5),
     "J = 3v": (J, 3, 0.5)},
    "J = 3(a + bc): values in black, gradients in red",
)  # fmt: skip
draw_graph(
    second,
    {"$w_0$": (w0, 0, 2), "$x_0$": (x0, 0, 1.3), "$w_1$": (w1, 0, 0.6), "$x_1$": (x1, 0, -0.1),
     "$w_2$": (w2, 2, -0.1), "$w_0 x_0$": (p, 1, 1.6), "$w_1 x_1$": (q, 1, 0.3), "sum": (pq, 2, 1), "s": (s, 3, 0.6),
     "-s": (minus, 4, 0.6), "$e^{-s}$": (e, 5, 0.6), "$1 + e^{-s}$": (below, 6, 0.6), "f": (f, 7, 0.6)},
    "one neuron: f = sigmoid($w_0 x_0 + w_1 x_1 + w_2$)",
)  # fmt: skip
lesson.plot(figure, "graphs")

lesson.claim("3(a + bc), gradient of a", a.grad, "==", 3.0, exact=True)
lesson.claim("3(a + bc), gradient of b", b.grad, "==", 6.0, exact=True)
lesson.claim("3(a + bc), gradient of c", c.grad, "==", 9.0, exact=True)
lesson.claim("neuron, value before 1/x, to two digits", round(below.value, 2), "==", 1.37, exact=True)
lesson.claim("neuron, gradient there, to two digits", round(below.grad, 2), "==", -0.53, exact=True)

# %% [markdown]
# The long way through $e^{-s}$ and $1/x$ has a short form: $\sigma'(s) = \sigma(s)(1 - \sigma(s))$. Both must agree:
# the gradient of a weight is $\sigma(1 - \sigma)$ times its input.

# %%
slope = f.value * (1 - f.value)
short_form = [slope * x0.value, slope * x1.value, slope, slope * w0.value, slope * w1.value]
found = [number.grad for number in (w0, w1, w2, x0, x1)]
difference = max(abs(ours - theirs) for ours, theirs in zip(found, short_form))
print("gradients of w0, w1, w2, x0, x1:", ", ".join(f"{each:.3f}" for each in found))
lesson.claim("neuron, long way less sigma(1 - sigma), largest difference", difference, "<=", 1e-12, exact=True)

# %% [markdown]
# ## Against Keras: 200 expressions that nobody chose
# Two examples prove little. So we let chance write expressions of three variables, such as
# `sin(x0 * tanh(x1 + x2)) * x0`, and differentiate each twice: with our program, and with Keras. Most of them use a
# variable several times.

# %%
ONE = ("tanh", "sigmoid", "sin")
TWO = {"add": lambda left, right: left + right, "multiply": lambda left, right: left * right}


def random_expression(random, depth):
    """Nested tuples: ("multiply", left, right), ("tanh", inner), or the number of a variable."""
    if depth == 0:
        return int(random.integers(3))
    name = random.choice([*ONE, *TWO])
    return (str(name), *(random_expression(random, depth - 1) for _ in range(2 if name in TWO else 1)))


def calculate(expression, x, one):
    """The value of an expression; `one` says how to apply a function of one argument."""
    if isinstance(expression, int):
        return x[expression]
    name, *parts = expression
    parts = [calculate(part, x, one) for part in parts]
    return TWO[name](*parts) if name in TWO else one(name, *parts)


def ours(expression, at):
    x = [Number(value) for value in at]
    calculate(expression, x, lambda name, inner: getattr(inner, name)()).backward()
    return np.array([each.grad for each in x])


def theirs(expression, at):
    x = ops.convert_to_tensor(at, "float64")
    found = gradient(lambda x: ops.sum(calculate(expression, x, lambda name, inner: getattr(ops, name)(inner))), x)
    return ops.convert_to_numpy(found)


random = np.random.default_rng(lesson.seed)
differences = []
for _ in range(10 if lesson.smoke else 200):
    expression, at = random_expression(random, 5), random.normal(size=3)
    differences.append(np.abs(ours(expression, at) - theirs(expression, at)).max())
lesson.claim("random expressions, ours less Keras, largest difference", max(differences), "<=", 1e-6, exact=True)

# %% [markdown]
# ## Small steps: a check, not a method
# A derivative is a limit, so why not take a small step $h$ and divide? One may step forward, or to both sides:
#
# $$\frac{f(x + h) - f(x)}{h} \qquad\text{or}\qquad \frac{f(x + h) - f(x - h)}{2h}.$$
#
# Two reasons. First, the price: it needs one or two calculations of $f$ **for each weight**; the backward pass gets all
# gradients for the price of a few calculations in all. Second, rounding: a computer keeps about 16 digits. For a tiny
# $h$ the two values agree in nearly all of them, and their difference is what rounding left. So the error falls with
# $h$, and then rises again. At its best the two-sided form is good enough to check a program with: a **gradient
# check** (**numerical gradient**).

# %%
point, TINY = 0.7, 1e-15


def curve(x):
    return math.sin(x * math.tanh(x))


x = Number(point)
(x * x.tanh()).sin().backward()
steps = np.logspace(0, -15, 61)
one_sided = np.array([abs((curve(point + h) - curve(point)) / h - x.grad) for h in steps])
two_sided = np.array([abs((curve(point + h) - curve(point - h)) / (2 * h) - x.grad) for h in steps])
at_tiny = abs((curve(point + TINY) - curve(point - TINY)) / (2 * TINY) - x.grad)

figure = new_figure(7, 3.8)
axes = figure.subplots()
axes.loglog(steps, one_sided + 1e-18, color=THIRD, marker="o", markersize=3, label="one side")
axes.loglog(steps, two_sided + 1e-18, color=INK, marker="o", markersize=3, label="both sides")
axes.invert_xaxis()
axes.set(xlabel="step h, smaller to the right", ylabel="error of the gradient", title="too small a step is worse again")
axes.legend(frameon=False)
lesson.plot(figure, "gradient_check")
lesson.claim("numerical gradient, error at the best step", two_sided.min(), "<=", 1e-9, exact=True)
lesson.claim("numerical gradient, error at a step of 1e-15", at_tiny, ">=", 1e-3, exact=True)

# %% [markdown]
# ## Softmax and cross-entropy: p - y
# A network that tells classes apart has one output for each class, a **logit** $z_k$: any number. The **softmax** makes
# probabilities of them. All are positive, and they sum to 1:
#
# $$p_k = \frac{e^{z_k}}{\sum_j e^{z_j}}.$$
#
# The target $y$ is 1 at the true class and 0 elsewhere. The loss is the **cross-entropy**
# $L = -\sum_k y_k \ln p_k$, which is $-\ln p$ of the true class: 0 if the network is sure and right, large if it is
# sure and wrong. Its gradient with respect to the logits is very simple, the difference between what was said and what
# is true,
#
# $$\frac{\partial L}{\partial z_k} = p_k - y_k.$$
#
# Why? $L = -z_t + \ln \sum_j e^{z_j}$ for the true class $t$. The first part gives $-1$ at $t$; the second gives
# $e^{z_k} / \sum_j e^{z_j} = p_k$. We let our program go the long way through exponentials, a sum, a reciprocal and a
# logarithm.

# %%
logits, truth = np.array([2.0, 1.0, -1.0, 0.5]), 1  # of four classes, the second is true
z = [Number(value) for value in logits]
powers = [each.exp() for each in z]
total = powers[0] + powers[1] + powers[2] + powers[3]
loss = (powers[truth] * total.reciprocal()).log() * -1.0
loss.backward()
from_program = np.array([each.grad for each in z])
y = np.eye(4)[truth]
probabilities = np.exp(logits) / np.exp(logits).sum()
from_formula = probabilities - y
criterion = keras.losses.CategoricalCrossentropy(from_logits=True)
from_keras = ops.convert_to_numpy(
    gradient(lambda z: criterion(ops.convert_to_tensor(y[None], "float64"), z[None]), ops.convert_to_tensor(logits))
)

figure = new_figure(10, 3)
for axes, (name, heights) in zip(
    figure.subplots(1, 3, sharey=True),
    {"said: p": probabilities, "true: y": y, "gradient: p - y": from_program}.items(),
):
    axes.bar(range(4), heights, color=[SECOND if name[0] == "g" else INK] * 4)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set(title=name, xticks=range(4), xlabel="class")
lesson.plot(figure, "softmax_gradient")
difference = np.abs(from_formula - from_program).max()
lesson.claim("softmax with cross-entropy, p - y less our program", difference, "<=", 1e-12, exact=True)
difference = np.abs(from_formula - from_keras).max()
lesson.claim("softmax with cross-entropy, p - y less Keras", difference, "<=", 1e-6, exact=True)

# %% [markdown]
# The gradient is negative for the true logit: descent makes it larger. It is positive for the others: descent makes
# them smaller, most of all those that were thought probable.
#
# ## Many outputs: the Jacobian
# The softmax alone has four inputs and four outputs, so $4 \times 4$ derivatives: its **Jacobian matrix**
# $J_{ij} = \partial p_i / \partial z_j$. Here it is $\mathrm{diag}(p) - p\,p^\top$. The backward pass never builds it.
# It multiplies the gradient that arrives with it, $J^\top g$ (a **vector-Jacobian product**); with $g_i = -y_i / p_i$
# from the cross-entropy, that gives $p - y$ once more. One backward pass gives one row of $J$: the gradients of one
# output with respect to all inputs. A loss is one number and has a million inputs. That is why we go backward.

# %%
jacobian = np.diag(probabilities) - np.outer(probabilities, probabilities)
rows = [
    ops.convert_to_numpy(gradient(lambda z, i=i: ops.softmax(z)[i], ops.convert_to_tensor(logits))) for i in range(4)
]
difference = np.abs(jacobian - np.stack(rows)).max()
lesson.claim("Jacobian of the softmax, formula less Keras", difference, "<=", 1e-6, exact=True)
difference = np.abs(jacobian.T @ (-y / probabilities) - from_formula).max()
lesson.claim("Jacobian times the gradient of the cross-entropy, less p - y", difference, "<=", 1e-12, exact=True)

# %% [markdown]
# ## A network of the zoo
# Now a whole network: `mlp`, two inputs, four hidden units with tanh, two logits. Our program calculates it from the
# same 22 weights, one number at a time. To see Keras's gradient we let it take one step of gradient descent with a
# learning rate of 1: what is missing from each weight afterwards is the gradient. The four examples are **XOR**,
# "exclusive or": class 1 if exactly one of the two inputs is 1.

# %%
corners, classes = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32"), np.array([0, 1, 1, 0])


def dense(x, kernel, bias, activation=None):
    """A layer of neurons on a list of numbers: each adds its inputs up, each times a weight, and a bias."""
    outputs = []
    for unit in range(len(bias)):
        z = bias[unit]
        for value, row in zip(x, kernel):
            z = z + row[unit] * value
        outputs.append(z.tanh() if activation else z)
    return outputs


def mean_loss(weights, kind=Number):
    """The mean cross-entropy of the four examples."""
    kernel1, bias1, kernel2, bias2 = weights
    total = kind(0.0)
    for corner, label in zip(corners, classes):
        z = dense(dense([float(each) for each in corner], kernel1, bias1, "tanh"), kernel2, bias2)
        chance = z[label].exp() * (z[0].exp() + z[1].exp()).reciprocal()
        total = total - chance.log()
    return total * 0.25


def numbers(arrays, kind=Number):
    return [np.vectorize(lambda value: kind(float(value)), otypes=[object])(array) for array in arrays]


keras.utils.set_random_seed(lesson.seed)
model = zoo.build("mlp", input_shape=(2,), num_classes=2, hidden=(4,), activation="tanh")
before = model.get_weights()
model.compile(keras.optimizers.SGD(1.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
model.train_on_batch(corners, classes)
by_keras = [old - new for old, new in zip(before, model.get_weights())]
weights = numbers(before)
mean_loss(weights).backward()
by_us = [np.vectorize(lambda each: each.grad)(array) for array in weights]
difference = max(np.abs(one - other).max() for one, other in zip(by_keras, by_us))
print(f"{model.count_params()} weights")
lesson.claim("mlp, gradient of all weights, ours less Keras", difference, "<=", 1e-6, exact=True)

# %% [markdown]
# ## One wrong character
# Every weight of the network is used four times, once for each example. What if a number that receives a message
# forgets those before it: `=` in place of `+=`? Nothing crashes. Expected: each weight hears of one example only, and
# learns to please that one. Gradient descent, 500 steps, learning rate 0.5, once with each program.


# %%
class Forgetful(Number):
    """The same, with one character missing."""

    def receive(self, message):
        self.grad = message


def descend(kind, seed):
    """Losses on the way down, from random weights."""
    random = np.random.default_rng(seed)
    weights = numbers([random.normal(size=shape) for shape in ((2, 4), 4, (4, 2), 2)], kind)
    losses = []
    for _ in range(3 if lesson.smoke else 500):
        loss = mean_loss(weights, kind)
        loss.backward()
        losses.append(loss.value)
        for array in weights:
            for number in array.flat:
                number.value, number.grad = number.value - 0.5 * number.grad, 0.0
    return losses


curves = {kind: [descend(kind, seed) for seed in lesson.seeds] for kind in (Number, Forgetful)}
figure = new_figure(7, 3.6)
axes = figure.subplots()
for (kind, losses), colour, label in zip(curves.items(), (INK, SECOND), ("+=, as it must be", "=, forgets")):
    for number, each in enumerate(losses):
        axes.plot(each, color=colour, label=label if number == 0 else None)
axes.axhline(math.log(2), color="black", linestyle=":", label="ln 2: no idea")
axes.set(xlabel="step of gradient descent", ylabel="cross-entropy, four examples", yscale="log")
axes.set_title("one character decides whether it learns (three seeds each)")
axes.legend(frameon=False, loc="center right", bbox_to_anchor=(1, 0.68))
lesson.plot(figure, "forgetful")
worst, best = max(each[-1] for each in curves[Number]), min(min(each) for each in curves[Forgetful])
lesson.claim("XOR, gradients added, last loss, worst seed", worst, "<=", 0.1, baseline={"no idea": math.log(2)})
lesson.claim("XOR, gradients overwritten, lowest loss, best seed", best, ">=", 0.5, baseline={"added": worst})

# %% [markdown]
# ## Which way is up?
# A function of two variables has a slope in every direction. In the direction of a unit vector $u$ it is
# $\nabla f \cdot u$, the **directional derivative**. It is largest where $u$ points along the gradient, and is 0 at
# right angles to it, where the value stays the same: along the **contour line**. So the negative gradient is the
# **direction of steepest descent**. We try 3,600 directions.
#
# ## How large is a gradient?
# A **norm** measures the size of a vector. The **p-norm** is $\|x\|_p = (\sum_i |x_i|^p)^{1/p}$. Three are in use:
#
# * $\|x\|_1 = \sum |x_i|$: the way along the streets of a town;
# * $\|x\|_2 = \sqrt{\sum x_i^2}$: the straight line (the **Euclidean norm**);
# * $\|x\|_\infty = \max |x_i|$: the largest entry alone.
#
# ("$\|x\|_0$" counts the entries that are not 0. It is not a norm: $2x$ has the same count as $x$.)
#
# A norm of a matrix says how much it can stretch a vector, $\|A\|_p = \max \|Ax\|_p / \|x\|_p$:
#
# * $\|A\|_1$ is the largest **sum of a column** of absolute values, $\|A\|_\infty$ the largest **sum of a row**. (That
#   is more than the Euclidean length of the longest column or row.)
# * $\|A\|_2$, the **spectral norm**, is the largest **singular value**. A circle becomes an ellipse; this is its
#   longer half-axis.
# * The **Frobenius norm** $\sqrt{\sum a_{ij}^2}$ treats the matrix as one long vector.
#
# The backward pass multiplies by one matrix for each layer. If their norms are above 1 the gradient may grow layer by
# layer; if they are below 1 it must shrink. Lesson 04 is about that.

# %%
A = np.array([[1.0, -2.0], [3.0, 4.0]])
turns = np.linspace(0, 2 * np.pi, 3601)[:-1]
circle = np.stack([np.cos(turns), np.sin(turns)])  # (2, directions)


def hill(x, y):
    return np.exp(-((x - 1) ** 2) - 0.5 * (y + x) ** 2)


here = np.array([0.3, 0.6])
height = hill(*here)
slope_here = height * np.array([-2 * (here[0] - 1) - here.sum(), -here.sum()])  # by hand, with the chain rule
slopes = (hill(*(here[:, None] + 1e-5 * circle)) - hill(*(here[:, None] - 1e-5 * circle))) / 2e-5
steepest = circle[:, slopes.argmax()]
angle = np.degrees(np.arccos(np.clip(steepest @ slope_here / np.linalg.norm(slope_here), -1, 1)))

figure = new_figure(12, 4)
one, two, three = figure.subplots(1, 3)
across, up = np.meshgrid(np.linspace(-1.5, 3, 100), np.linspace(-3, 2, 100))
one.contour(across, up, hill(across, up), 10, colors=THIRD)
one.contour(across, up, hill(across, up), [height], colors=[INK], linewidths=2)
one.annotate("", here + slope_here * 1.6, here, arrowprops={"arrowstyle": "->", "color": SECOND, "linewidth": 2})
one.plot(*here, "o", color=INK)
one.set(title="gradient (red), at right angles to the contour", aspect="equal", xlabel="x", ylabel="y")
for power, colour in ((1, SECOND), (2, INK), (np.inf, THIRD)):
    two.plot(*(circle / np.linalg.norm(circle, power, axis=0)), color=colour, label=f"p = {power}".replace("inf", "∞"))
two.set(title="all vectors of norm 1", aspect="equal")
two.legend(frameon=False, loc="center")
stretched = A @ circle
longest = stretched[:, np.linalg.norm(stretched, axis=0).argmax()]
three.plot(*circle, color=THIRD, label="x, with norm 1")
three.plot(*stretched, color=INK, label="Ax")
three.plot([0, longest[0]], [0, longest[1]], color=SECOND, label=f"longest: {np.linalg.norm(longest):.2f}")
three.set(title="the spectral norm of A", aspect="equal")
three.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
lesson.plot(figure, "directions_and_norms")

one_norm, infinity_norm = np.abs(A).sum(0).max(), np.abs(A).sum(1).max()
for power in (1, 2, np.inf, "fro"):
    print(f"matrix norm {power}: {np.linalg.norm(A, power):.2f}")
lesson.claim("steepest of 3,600 directions less the gradient's, degrees", angle, "<=", 0.1, exact=True)
lesson.claim("matrix 1-norm, largest sum of a column", one_norm, "==", np.linalg.norm(A, 1), exact=True)
lesson.claim("matrix infinity-norm, largest sum of a row", infinity_norm, "==", np.linalg.norm(A, np.inf), exact=True)
difference = abs(np.linalg.norm(longest) - np.linalg.svd(A, compute_uv=False)[0])
lesson.claim("longest of 3,600 stretched vectors less the spectral norm", difference, "<=", 1e-4, exact=True)

# %% [markdown]
# ## Try it
# * Set $a = 1$, $b = -2$ and $c = 4$ in $3(a + bc)$. Which gradients change? Say it before you run it.
#
# <details><summary>Solution</summary>
#
# `a, b, c = Number(1.0), Number(-2.0), Number(4.0)`. The gradient of $a$ stays 3: it does not depend on the values.
# Those of $b$ and $c$ are $3c = 12$ and $3b = -6$. (The two claims about them then fail, of course.)
# </details>
#
# * Give `Number` a ReLU, $\max(0, x)$. What is its local derivative?
#
# <details><summary>Solution</summary>
#
# ```python
# def relu(self):
#     return self.made(max(0.0, self.value), (self, float(self.value > 0)))
# ```
#
# 1 where the input is positive, 0 where it is negative. At 0 itself there is no derivative; programs take 0. Add
# `"relu"` to `ONE` to hold it to Keras.
# </details>
#
# * In the neuron, set $w_2 = -20$. What happens to all gradients? Such a neuron is called **saturated**.
#
# <details><summary>Solution</summary>
#
# Change the last of the five values to -20. Then $f$ is close to 0, $\sigma(1 - \sigma)$ too, and every gradient is
# nearly 0: the neuron hardly learns. Lesson 04 looks for a cure. (The claims about 1.37 and -.53 fail, of course.)
# </details>

# %%
lesson.finish()
