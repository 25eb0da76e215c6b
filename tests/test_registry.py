"""The registry: cards read without Keras, names found, mistakes answered with the nearest right word."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import zoo
from zoo import card_cache, recipes, records, registry
from zoo.cards import read_cards
from zoo.errors import UsageError, unknown

ROOT = Path(__file__).parent.parent
DROPPED_IN = """
import a_module_that_does_not_exist

SIZE = 28
DEMO = Recipe(name="demo", dataset="digits:1.0.0", epochs=1)

@register(Card(task="image_classification", summary="", params=SIZE * 2, paper="", preprocessing="", tiny={},
               inputs=(Input("image", (SIZE, SIZE, 1)),), recipes=(DEMO, replace(DEMO, name="long"))))
def newnet(*, name="newnet"): ...

def helper(): ...
"""
HEAVY = {"keras", "tensorflow", "jax", "torch", "numpy", "tensorflow_datasets", "sklearn", "matplotlib"}


@pytest.fixture
def registered():
    """For tests that enter names of their own: the registry forgets them afterwards."""
    cards, broken = dict(registry.cards()), dict(registry.broken())
    yield
    registry._cards.clear()
    registry._cards.update(cards)
    registry._broken.clear()
    registry._broken.update(broken)
    for name in set(registry._builders) - set(cards):
        del registry._builders[name]


@pytest.fixture
def a_card():
    return zoo.Card(
        task="image_classification",
        summary="of a test",
        params=0,
        paper="none",
        inputs=(zoo.Input("image", (8, 8, 1)),),
        preprocessing="standardise",
        recipes=(),
        tiny={},
    )


def user_builder(source="def my_net(*, units=3, name='my_net'): return units", module="my_nets"):
    """A function as a user's own file `my_nets.py` would define it."""
    namespace = {"__name__": module}
    exec(source, namespace)
    return namespace["my_net"]


# Cards, read from the source.


def test_no_card_of_the_zoo_is_broken():
    assert not registry.broken(), "\n".join(map(str, registry.broken().values()))


@pytest.mark.parametrize("path", sorted(registry.MODELS.glob("[!_]*.py")), ids=lambda path: path.stem)
def test_cards_read_from_the_source_are_those_of_the_imported_file(path, registered):
    read, broken = read_cards(path, f"zoo.models.{path.stem}")
    assert not broken, "\n".join(map(str, broken.values()))
    assert read, "a file of models without a card"
    for name in read:
        registry.builder(name)  # imports the file, whose decorators enter their cards
    assert {name: registry._cards[name] for name in read} == read


def test_a_file_dropped_in_is_found(tmp_path, monkeypatch, registered):
    (tmp_path / "new.py").write_text(DROPPED_IN)
    monkeypatch.setattr(registry, "MODELS", tmp_path)
    registry._cards.clear()
    assert zoo.list_models() == ["newnet"]
    card = zoo.info("newnet")
    assert (card.name, card.family, card.params) == ("newnet", "new", 56)
    assert [recipe.name for recipe in card.recipes] == ["demo", "long"]


DEMO = zoo.Recipe("demo", "digits:1.0.0", 3)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"params": None}, "my_net: params is None; expected a whole number"),
        ({"summary": 3}, "my_net: summary is 3; expected a string"),
        ({"inputs": ((28, 28, 1),)}, "my_net: inputs is ((28, 28, 1),); expected a tuple of Input"),
        ({"tiny": ["units"]}, "my_net: tiny is ['units']; expected a dictionary"),
        ({"recipes": (DEMO, None)}, "None); expected a tuple of Recipe"),
        ({"recipes": (DEMO, DEMO)}, "two recipes of my_net are called 'demo': call one of them otherwise"),
    ],
)
def test_a_field_of_a_card_that_cannot_be_is_one_line(changes, told, a_card, registered):
    with pytest.raises(UsageError) as caught:
        registry.register(records.replace(a_card, **changes))(user_builder())
    assert told in str(caught.value) and "my_net" not in registry.cards()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"epochs": "3"}, "epochs is '3'; expected a whole number of at least 1 and at most 10,000,000"),
        ({"epochs": None}, "epochs is None; expected a whole number of at least 1 and at most 10,000,000"),
        ({"batch_size": 0}, "batch_size is 0; expected a whole number of at least 1 and at most 10,000,000"),
        ({"learning_rate": "fast"}, "learning_rate is 'fast'; expected a number above 0, from 1e-10 to 5"),
        ({"seed": 0.5}, "seed is 0.5; expected a whole number from 0 to 2^32 - 1"),
        ({"precision": "float61"}, "precision is 'float61'; expected one of float32, mixed_float16, mixed_bfloat16"),
        ({"patience": -1}, "patience is -1; expected a whole number of at least 0"),
        ({"preprocess": None}, "preprocess is None; expected a dictionary"),
        ({"expected": 0.9}, "expected is 0.9; expected Expected or None"),
        ({"dataset": 3}, "dataset is 3; expected a string"),
    ],
)
def test_a_field_of_a_recipe_that_cannot_be_is_one_line(changes, told, a_card, registered):
    with pytest.raises(UsageError) as caught:
        registry.register(records.replace(a_card, recipes=(records.replace(DEMO, **changes),)))(user_builder())
    assert str(caught.value) == f"recipe demo of my_net: {told}"


def test_an_unknown_preprocessing_of_weights_names_the_card(a_card, registered):
    some = zoo.Weights(tag="mine", url="https://example.org/a.h5", hash="", preprocessing="cafe", licence="mine")
    with pytest.raises(UsageError, match="no preprocessing of the weights mine of my_net 'cafe'; did you mean caffe"):
        registry.register(records.replace(a_card, weights=(some,)))(user_builder())
    wrong = records.replace(DEMO, preprocessing="touch")
    with pytest.raises(UsageError, match="no preprocessing of recipe demo of my_net 'touch'; did you mean torch"):
        registry.register(records.replace(a_card, recipes=(wrong,)))(user_builder())


def test_a_card_that_is_read_is_checked_as_well(tmp_path):
    (tmp_path / "new.py").write_text(DROPPED_IN.replace("epochs=1", "epochs='1'"))
    read, broken = read_cards(tmp_path / "new.py")
    assert not read
    assert str(broken["newnet"]).startswith(f"{tmp_path}/new.py:7: ") and "epochs is '1'" in str(broken["newnet"])


def test_options_need_no_star_before_them(tmp_path):
    (tmp_path / "new.py").write_text(DROPPED_IN.replace("(*, name=", "(units=3, *, name="))
    assert read_cards(tmp_path / "new.py")[0]["newnet"].options == ("units", "name")


def test_a_card_cannot_run_code(tmp_path):
    (tmp_path / "bad.py").write_text("\n@register(Card(task=open('/etc/passwd').read()))\ndef bad(): ...\n")
    read, broken = read_cards(tmp_path / "bad.py")
    assert not read
    assert str(broken["bad"]).startswith(f"{tmp_path}/bad.py:2: the card of bad cannot be read: it uses open, which")


def test_a_bad_card_takes_down_its_own_name_alone(tmp_path, monkeypatch, registered):
    (tmp_path / "good.py").write_text(DROPPED_IN)
    (tmp_path / "bad.py").write_text(DROPPED_IN.replace("newnet", "badnet").replace("SIZE * 2", "IMAGENET"))
    (tmp_path / "torn.py").write_text("def torn(:\n")
    monkeypatch.setattr(registry, "MODELS", tmp_path)
    registry._cards.clear()
    assert zoo.list_models() == ["newnet"]
    assert sorted(registry.broken()) == ["badnet", "torn"]
    with pytest.raises(UsageError, match=r"bad.py:7: the card of badnet cannot be read: it uses IMAGENET"):
        zoo.info("badnet")
    with pytest.raises(UsageError, match=r"torn.py:1: the family torn cannot be read"):
        zoo.build("torn")


@pytest.mark.parametrize(
    "constant",
    [
        "SIZES: tuple[int, ...] = (28, 28)",
        "SIZES = tuple([28, 28])",
        "SIZES = [28 for _ in range(2)]",
        "SIDE = 28\nSIZES = tuple(side * 1 for side in (SIDE, SIDE))",
        "SIZES = (sum((20, 8)), max(1, 28))",
    ],
)
def test_a_card_may_use_plain_functions_and_annotated_constants(constant, tmp_path):
    source = (
        DROPPED_IN.replace("SIZE = 28", constant)
        .replace("SIZE * 2", "sum(SIZES)")
        .replace("(SIZE, SIZE, 1)", "(*SIZES, 1)")
    )
    (tmp_path / "new.py").write_text(source)
    read, broken = read_cards(tmp_path / "new.py")
    assert not broken and read["newnet"].params == 56 and read["newnet"].inputs[0].shape == (28, 28, 1)


def test_a_card_may_import_from_the_recipes_and_the_modules_among_them(tmp_path):
    imports = "from zoo.recipes import MNIST as DIGITS\nfrom zoo.recipes.lenet import RECIPES\n"
    source = imports + DROPPED_IN.replace(
        'recipes=(DEMO, replace(DEMO, name="long"))', 'recipes=(replace(DIGITS, name="digits"), *RECIPES["lenet5"])'
    )
    (tmp_path / "new.py").write_text(source)
    read, broken = read_cards(tmp_path / "new.py")
    assert not broken
    assert read["newnet"].recipes == (records.replace(recipes.MNIST, name="digits"), *zoo.info("lenet5").recipes)


@pytest.mark.parametrize(
    ("wrong", "missing"),
    [("from zoo.recipes import MNITS", "MNITS"), ("from zoo.recipes.lenett import RECIPES", "zoo.recipes.lenett")],
)
def test_a_wrong_import_from_the_recipes_names_the_card(wrong, missing, tmp_path):
    (tmp_path / "new.py").write_text(wrong + DROPPED_IN)
    read, broken = read_cards(tmp_path / "new.py")
    assert not read
    assert str(broken["newnet"]).startswith(f"{tmp_path}/new.py:7: the card of newnet cannot be read: ")
    assert missing in str(broken["newnet"])


def test_import_list_and_info_load_nothing_heavy():
    program = (
        "import sys, json, zoo; zoo.list_models('*5'); zoo.info('lenet5').recipe('demo'); dir(zoo);"
        "print(json.dumps(sorted({module.partition('.')[0] for module in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not HEAVY & set(json.loads(done.stdout))


# Listing.


def test_list_is_sorted_and_takes_wildcards():
    names = zoo.list_models()
    assert names == sorted(names, key=registry.as_people_count) and {"lenet5", "lenet5_1998", "mlp"} <= set(names)
    assert zoo.list_models("lenet5*") == ["lenet5", "lenet5_1998"]
    assert zoo.list_models("LeNet?") == ["lenet5"]
    assert zoo.list_models("*_sum") == ["relu_sum", "sigmoid_sum"]
    assert zoo.list_models("nothing*") == []
    assert zoo.list_models("nothing like it") == []
    assert zoo.list_models("Transfomer_XL") == ["transformer_xl"]  # what comes near, where nothing is met
    small = zoo.list_models(task="image_classification", max_multiply_adds=1_000_000)
    assert "lenet5" in small and "resnet18" not in small


def test_list_filters_by_task():
    assert zoo.list_models(task="binary_classification") == ["logistic_regression", "perceptron"]
    assert zoo.list_models("l*", task="binary_classification") == ["logistic_regression"]
    tasks = {zoo.info(name).task for name in zoo.list_models()}
    assert sorted(name for task in tasks for name in zoo.list_models(task=task)) == sorted(zoo.list_models())


def test_list_filters_by_pretrained(registered, a_card):
    some = zoo.Weights(tag="mine", url="https://example.org/a.h5", hash="", preprocessing="tf", licence="mine")
    registry.register(records.replace(a_card, weights=(some,)))(user_builder())
    assert "my_net" in zoo.list_models(pretrained=True)
    assert "my_net" not in zoo.list_models(pretrained=False)
    assert sorted(zoo.list_models(pretrained=True) + zoo.list_models(pretrained=False)) == sorted(zoo.list_models())


# Mistakes.


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (lambda: zoo.info("lenet"), "there is no model 'lenet'; did you mean lenet5"),
        (lambda: zoo.info("LeNet-5"), "there is no model 'LeNet-5'; did you mean lenet5"),
        (lambda: zoo.build("mpl"), "there is no model 'mpl'; did you mean mlp?"),
        (lambda: zoo.build("lenet5", num_class=3), "no option of lenet5 'num_class'; did you mean num_classes?"),
        (
            lambda: zoo.build("lenet5", weights="imagenet"),
            "there are no weights 'imagenet' for lenet5; expected the path or https address of a file",
        ),
        (lambda: zoo.info("lenet5").recipe("mnits"), "there is no recipe of lenet5 'mnits'; did you mean mnist"),
        (lambda: zoo.list_models(task="classification"), "there is no task 'classification'; did you mean"),
    ],
)
def test_unknown_words_are_answered_with_the_nearest(ask, answer):
    with pytest.raises(UsageError) as caught:
        ask()
    assert answer in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_without_a_near_name_lists_a_few_and_counts_many():
    assert str(unknown("pet", "x", ["dog", "cat"])) == "there is no pet 'x'; there are cat, dog"
    assert str(unknown("pet", "x", map(str, range(25)), hint="ask")) == "there is no pet 'x'; there are 25 (ask)"


def test_usage_error_is_one_line_and_a_value_error():
    assert str(UsageError("two\n   lines")) == "two lines"
    assert issubclass(UsageError, ValueError)


# A user's own names.


def test_a_users_own_network_is_built_by_name(registered, a_card):
    mine = registry.register(a_card)(user_builder())
    assert mine(units=2) == 2, "the decorator gives the function back as it was"
    assert zoo.build("my_net", units=4) == 4
    assert (zoo.info("my_net").name, zoo.info("my_net").family) == ("my_net", "my_nets")
    assert "my_net" in zoo.list_models("my*")
    with pytest.raises(UsageError, match=r"did you mean units\?"):
        zoo.build("my_net", unit=4)


def test_a_builder_without_options_says_so(registered, a_card):
    registry.register(a_card)(user_builder("def my_net(): return 1"))
    with pytest.raises(UsageError, match=r"there is no option of my_net 'units'; there are none$"):
        zoo.build("my_net", units=4)


def test_a_taken_name_is_refused_and_running_a_file_again_is_not(registered, a_card):
    first = registry.register(a_card)(user_builder())
    with pytest.raises(UsageError, match="the name 'my_net' is taken by my_nets"):
        registry.register(a_card)(user_builder(module="other_nets"))
    assert zoo.builder("my_net") is first
    again = registry.register(a_card)(user_builder())
    assert zoo.builder("my_net") is again


def test_a_name_of_the_zoo_is_taken_before_its_file_is_imported(tmp_path, monkeypatch, registered, a_card):
    (tmp_path / "new.py").write_text(DROPPED_IN)
    monkeypatch.setattr(registry, "MODELS", tmp_path)
    registry._cards.clear()
    builder = user_builder()
    builder.__name__ = "newnet"
    with pytest.raises(UsageError, match=r"the name 'newnet' is taken by zoo\.models\.new"):
        registry.register(a_card)(builder)
    assert zoo.info("newnet").params == 56


def test_records_are_frozen():
    with pytest.raises(AttributeError):
        zoo.info("lenet5").params = 0
    with pytest.raises(AttributeError):
        zoo.info("lenet5").recipe("demo").epochs = 0


def test_as_dict_is_plain_data():
    plain = records.as_dict(zoo.info("lenet5"))
    assert plain["recipes"][0]["name"] == "demo"
    assert json.loads(json.dumps(plain))["inputs"][0]["shape"] == [28, 28, 1]


def test_package_names_its_verbs_and_no_others():
    assert set(zoo.__all__) <= set(dir(zoo))
    with pytest.raises(AttributeError, match="no attribute 'biuld'"):
        _ = zoo.biuld


def test_names_are_found_from_several_threads_at_once():
    program = """
import threading, zoo
missing = []
def look(name):
    try:
        zoo.info(name)
    except zoo.UsageError as error:
        missing.append(error)
threads = [threading.Thread(target=look, args=(name,)) for name in ["word2vec", "vgg16", "siamese", "gpt"] * 4]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert not missing, missing[0]
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_names_are_found_as_people_look_for_them():
    assert zoo.list_models("LSTM") == [
        "bilstm_classifier", "lstm_classifier", "lstm_forecaster", "lstm_lm", "row_lstm"
    ]  # fmt: skip
    assert zoo.list_models("ResNet*")[:5] == ["resnet18", "resnet20", "resnet32", "resnet34", "resnet44"]
    assert zoo.list_models("resnet*", max_params=300_000) == ["resnet20"]
    assert set(zoo.list_models(axes=4)) == set(zoo.list_models(task="video_classification"))


# Cards that are kept beside their files.


def read_in_another_process(code="", **environment):
    """Which files were parsed for the cards, and how many names there are."""
    program = (
        "import ast, zoo\nparsed, usual = [], ast.parse\n"
        "ast.parse = lambda *a, **k: parsed.append(1) or usual(*a, **k)\n"
        f"{code}\nprint(len(parsed), len(zoo.list_models()), len(parsed))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**{key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}, **environment},
    )
    _, names, parsed = map(int, found.stdout.split())
    return names, parsed


def test_the_second_process_parses_no_family():
    files = len([*registry.MODELS.glob("[!_]*.py")])
    place = registry.MODELS / "__pycache__" / card_cache.NAME
    place.unlink(missing_ok=True)
    names, parsed = read_in_another_process()
    assert parsed == files and place.exists()
    again, parsed = read_in_another_process()
    assert again == names == len(zoo.list_models()) and parsed == 0
    place.unlink()
    again, parsed = read_in_another_process(PYTHONDONTWRITEBYTECODE="1")
    assert again == names and parsed == files and not place.exists()


def test_the_zoos_own_cards_are_kept_as_they_are():
    fresh = {}
    for path, module in card_cache.families(registry.MODELS):
        fresh |= read_cards(path, module)[0]
    again = card_cache.unpacked(json.loads(json.dumps(card_cache.packed(fresh))))
    assert again == fresh and repr(again) == repr(fresh), "tuples are tuples, lists are lists"
    assert len(fresh) == len(registry.list_models())


@pytest.fixture
def families(tmp_path, monkeypatch):
    """A folder of one family, and a process that keeps bytecode."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    (tmp_path / "dropped.py").write_text(DROPPED_IN)
    return tmp_path


def names(folder, monkeypatch):
    """The names, and how many sources were read for them."""
    read = []
    with monkeypatch.context() as patch:
        patch.setattr(card_cache, "read_cards", lambda *given: read.append(given) or read_cards(*given))
        found, broken = card_cache.own_cards(folder)
    return sorted((*found, *broken)), len(read)


def test_kept_cards_are_those_of_the_source(families, monkeypatch):
    assert names(families, monkeypatch) == (["newnet"], 1)
    assert names(families, monkeypatch) == (["newnet"], 0)
    assert card_cache.own_cards(families) == read_cards(families / "dropped.py", "zoo.models.dropped")


def test_a_changed_source_is_read_anew(families, monkeypatch):
    names(families, monkeypatch)
    (families / "dropped.py").write_text(DROPPED_IN.replace("newnet", "othernet"))
    assert names(families, monkeypatch) == (["othernet"], 1)
    (families / "another.py").write_text("")
    assert names(families, monkeypatch) == (["othernet"], 2)
    (families / "another.py").unlink()
    assert names(families, monkeypatch) == (["othernet"], 1)


@pytest.mark.parametrize("damage", [b"", b"\xff\x00", b"[1, 2, 3]", b'["another", {}]', b"{"])
def test_a_damaged_file_of_cards_is_none(families, monkeypatch, damage):
    names(families, monkeypatch)
    (families / "__pycache__" / card_cache.NAME).write_bytes(damage)
    assert names(families, monkeypatch) == (["newnet"], 1)
    assert names(families, monkeypatch) == (["newnet"], 0)


def test_cards_that_cannot_be_read_are_not_kept(families, monkeypatch):
    (families / "dropped.py").write_text("def :")
    for _ in range(2):
        assert names(families, monkeypatch) == (["dropped"], 1)


def test_cards_that_json_cannot_hold_are_not_kept(families, monkeypatch):
    (families / "dropped.py").write_text(DROPPED_IN.replace("tiny={}", "tiny={3: 4}"))
    for _ in range(2):
        assert names(families, monkeypatch) == (["newnet"], 1)


def test_where_nothing_can_be_written_cards_are_read_each_time(families, monkeypatch):
    (families / "__pycache__").write_text("a file")
    for _ in range(2):
        assert names(families, monkeypatch) == (["newnet"], 1)
