"""The direction of imports: rooms stand on floors, and each takes from below alone (see ARCHITECTURE.md)."""

import ast
import itertools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FLOORS = (  # from the top; what stands on one floor knows nothing of each other
    ("cli",),
    ("inference", "results"),
    ("training",),
    ("tasks",),
    ("losses",),
    ("factory",),
    ("decoding", "trainers"),
    ("models", "weights", "data", "optimizers"),
    ("registry", "plots"),
    ("card_cache",),
    ("cards", "layers"),
    ("preprocessing", "recipes", "introspection"),
    ("records", "metrics", "baselines"),
    ("boxes", "checks", "deprecated", "saving", "system"),
    ("backend", "errors"),
)
FLOOR_OF = {room: len(FLOORS) - number for number, rooms in enumerate(FLOORS) for room in rooms}
FACADE = "zoo/__init__.py"  # hands the public names on; only the version is taken from it
BACKENDS = {  # which files may name a backend: all others compute through `keras.ops`
    "tensorflow": ("zoo/data/", "zoo/backend.py", "zoo/inference/export_formats.py"),  # that reads each format back
    "jax": ("zoo/backend.py",),
    "torch": ("zoo/backend.py", "zoo/inference/export_formats.py", "zoo/weights/formats.py"),  # .pth files of old
}


MAY_LACK = ("zoo/backend.py", "zoo/data/tensors.py", "zoo/data/preparation.py", "zoo/data/builtin/embedded.py",
            "zoo/inference/export_formats.py")  # fmt: skip


class Import:
    """One name that a line of a file imports."""

    def __init__(self, file: str, line: int, module: str, for_types: bool = False):
        self.file, self.line, self.module = file, line, module
        self.for_types = for_types  # under ``if TYPE_CHECKING``: never carried out

    def __str__(self):
        return f"{self.file}:{self.line} imports {self.module}"


def imports_of(sources: dict[str, str]) -> list[Import]:
    """All imports of files given by path and text, those inside functions as well."""
    modules = {module_of(file) for file in sources}
    found = []
    for file, text in sources.items():
        tree = ast.parse(text)
        guarded = [
            node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        ]
        for_types = {each for node in guarded for each in ast.walk(node)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found += [Import(file, node.lineno, alias.name) for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                for alias in node.names:
                    full = f"{node.module}.{alias.name}"
                    module = full if full in modules else node.module
                    found.append(Import(file, node.lineno, module, node in for_types))
    return found


def module_of(file: str) -> str:
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def room_of(module: str) -> str:
    """The room of a module of the zoo; "" for the facade."""
    return module.split(".")[1] if "." in module else ""


def inside(found: list[Import]) -> list[Import]:
    """Those that take from the zoo, the facade itself apart."""
    return [each for each in found if each.module.split(".")[0] == "zoo" and each.file != FACADE]


def upward(found: list[Import]) -> list[str]:
    """Imports that do not run downward."""
    wrong = []
    for each in inside(found):
        here, there = room_of(module_of(each.file)), room_of(each.module)
        unknown = [room for room in (here, there) if room and room not in FLOOR_OF]
        if unknown:
            wrong.append(f"{each}: the room {unknown[0]} stands on no floor of tests/test_structure.py")
        elif here != there and there and FLOOR_OF[here] <= FLOOR_OF[there]:
            wrong.append(f"{each}: {there} does not stand below {here}")
    return wrong


def circles(found: list[Import]) -> list[str]:
    """Files that import each other in a loop, each loop once."""
    arrows: dict[str, dict[str, Import]] = {}
    for each in inside(found):
        if not each.for_types:
            arrows.setdefault(module_of(each.file), {}).setdefault(each.module, each)
    loops, done = [], set()

    def walk(module, path):
        if module in path:
            loop = [*path[path.index(module) :], module]
            loops.append("; ".join(str(arrows[a][b]) for a, b in itertools.pairwise(loop)))
        elif module not in done:
            for other in arrows.get(module, ()):
                walk(other, [*path, module])
            done.add(module)

    for module in sorted(arrows):
        walk(module, [])
    return loops


def backends(found: list[Import]) -> list[str]:
    """Imports of a backend outside of the files that may name it."""
    return [
        f"{each}: only {' and '.join(BACKENDS[package])} may"
        for each in found
        if (package := each.module.split(".")[0]) in BACKENDS and not each.file.startswith(BACKENDS[package])
    ]


def past_the_seam(found: list[Import]) -> list[str]:
    """Imports of TensorFlow or tfds by a pipeline that would not run without them: see `zoo.data.tensors`."""
    return [
        f"{each}: say tf = tensorflow(), of zoo.data.tensors"
        for each in found
        if each.module.split(".")[0] in ("tensorflow", "tensorflow_datasets") and each.file not in MAY_LACK
    ]


LAWS = {"past the seam": past_the_seam, "upward": upward, "circles": circles, "backends": backends}


@pytest.fixture(scope="module")
def imports():
    files = sorted((ROOT / "zoo").rglob("*.py"))
    return imports_of({str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in files})


@pytest.mark.parametrize("law", LAWS)
def test_imports_run_downward_only(imports, law):
    assert not LAWS[law](imports)


def test_every_room_has_its_floor():
    rooms = {path.stem for path in (ROOT / "zoo").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert rooms - {"__init__"} == set(FLOOR_OF)


@pytest.mark.parametrize(
    ("law", "sources", "told"),
    [
        ("upward", {"zoo/data/x.py": "\nfrom zoo.tasks import base\n"}, ["zoo/data/x.py:2 imports zoo.tasks"]),
        ("upward", {"zoo/weights/x.py": "def f():\n    from zoo.models import y"}, ["weights/x.py:2"]),  # one floor
        ("upward", {"zoo/attic/x.py": "import zoo.errors"}, ["the room attic stands on no floor"]),
        ("upward", {"zoo/tasks/x.py": "from zoo.errors import UsageError\nimport zoo.tasks.y"}, []),
        (
            "circles",
            {"zoo/data/a.py": "from zoo.data import b", "zoo/data/b.py": "def f():\n    import zoo.data.a"},
            ["zoo/data/a.py:1 imports zoo.data.b; zoo/data/b.py:2 imports zoo.data.a"],
        ),
        ("circles", {"zoo/data/a.py": "import zoo.data.b", "zoo/data/b.py": "import zoo.errors"}, []),
        (
            "circles",
            {
                "zoo/data/a.py": "from zoo.data import b",
                "zoo/data/b.py": "if TYPE_CHECKING:\n    from zoo.data import a",
            },
            [],
        ),
        (
            "backends",
            {"zoo/losses/x.py": "def f():\n    import tensorflow as tf"},
            ["zoo/losses/x.py:2 imports tensor"],
        ),
        ("backends", {"zoo/data/x.py": "from tensorflow import io", "zoo/backend.py": "import jax, torch"}, []),
        ("past the seam", {"zoo/data/x.py": "def f():\n    import tensorflow as tf"}, ["zoo/data/x.py:2"]),
        ("past the seam", {"zoo/data/x.py": "from tensorflow_datasets.core import y"}, ["say tf = tensorflow()"]),
        ("past the seam", {"zoo/data/tensors.py": "import tensorflow as tf"}, []),
        ("backends", {"zoo/data/x.py": "import torch.nn"}, ["zoo/data/x.py:1 imports torch.nn"]),
    ],
)
def test_what_is_wrong_is_named_with_its_line(law, sources, told):
    found = LAWS[law](imports_of(sources))
    assert len(found) == len(told)
    assert all(part in each for part, each in zip(told, found))


def test_a_long_file_says_why():
    for file in sorted((ROOT / "zoo").rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        if text.count("\n") > 300:
            said = re.search("longer than other files|file is long", ast.get_docstring(ast.parse(text)) or "", re.I)
            assert said, f"{file.relative_to(ROOT)} has more than 300 lines; expected its docstring to say why"


# What runs code that comes with data, or fetches what anybody on the way can change

FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve", "cloudpickle"}
FORBIDDEN_NAMES = {"Lambda", "load_model", "enable_unsafe_deserialization", "get_file", "exec", "system", "urlretrieve"}
FORBIDDEN_OPTIONS = {"safe_mode": False, "allow_pickle": True, "weights_only": False, "shell": True, "verify": False}
EVAL = "zoo/cards.py"  # evaluates the expression of a card, with no names but those of records
OPENED = "zoo/inference/export_formats.py"  # by `load_model`: the file that it has just written


def traps(file: str, text: str) -> list[str]:
    """Lines of a file that name something forbidden."""
    found = []
    for node in ast.walk(ast.parse(text)):
        name, line = "", getattr(node, "lineno", 0)
        if isinstance(node, ast.Import):
            name = next((each.name for each in node.names if each.name.split(".")[0] in FORBIDDEN_MODULES), "")
        elif isinstance(node, ast.ImportFrom):
            names = {(node.module or "").split(".")[0]} & FORBIDDEN_MODULES or {
                each.name for each in node.names if each.name in FORBIDDEN_NAMES
            }
            name = min(names, default="")
        elif isinstance(node, ast.Attribute) and node.attr in FORBIDDEN_NAMES:
            name = node.attr if (file, node.attr) != (OPENED, "load_model") else ""
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name = node.func.id if node.func.id in {*FORBIDDEN_NAMES, "eval"} and file != EVAL else ""
        elif isinstance(node, ast.keyword) and node.arg in FORBIDDEN_OPTIONS:
            wrong = isinstance(node.value, ast.Constant) and node.value.value is FORBIDDEN_OPTIONS[node.arg]
            name, line = node.arg if wrong else "", node.value.lineno
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node.value.startswith(("http://", "ftp:"))
        ):
            name = node.value
        if name:
            found.append(f"{file}:{line}: {name}")
    return found


def test_no_code_comes_with_data_and_nothing_by_plain_http():
    files = [file for room in ("zoo", "benchmarks", "tutorials") for file in sorted((ROOT / room).rglob("*.py"))]
    found = [each for file in files for each in traps(str(file.relative_to(ROOT)), file.read_text(encoding="utf-8"))]
    assert not found


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "def f():\n    from joblib import load",
        "keras.layers.Lambda(f)",
        "from keras.layers import Lambda",
        "keras.saving.load_model(p)",
        "load_model(p)",
        "np.load(p, allow_pickle=True)",
        "torch.load(p, weights_only=False)",
        "f(safe_mode=False)",
        "subprocess.run(c, shell=True)",
        "URL = 'http://example.org/x'",
        "eval(x)",
        "os.system(x)",
    ],
)
def test_a_trap_is_found(text):
    assert len(traps("zoo/x.py", text)) == 1
