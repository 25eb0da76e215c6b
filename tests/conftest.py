"""What holds for every test. Imports nothing heavy: the tests of the registry run without Keras."""

import os
import re
import sys

import pytest
from long_names import is_long

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow writes pages about processors it could use
os.environ.setdefault("MPLBACKEND", "Agg")  # figures go to files, also where there is no screen
if "PYTEST_XDIST_WORKER" in os.environ:  # a worker for each core, and so a thread for each worker
    for threads in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(threads, "1")


def pytest_addoption(parser):
    parser.addoption("--record", action="store_true", help="record the outputs of names that have no record yet")


@pytest.hookimpl(tryfirst=True)  # before those that are slow are left out
def pytest_collection_modifyitems(items):
    for item in items:
        name = getattr(item, "callspec", None) and item.callspec.params.get("subject")
        if name and "network" in item.fixturenames and is_long(name):
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(optionalhook=True)  # without pytest-xdist there is nothing to share out
def pytest_xdist_make_scheduler(config, log):
    """The tests of a file go to one worker, for they share what they have trained. The conformance suite, which takes
    nearly half of the time, is shared out by the families of networks, and the tutorials one by one."""
    from xdist.scheduler import LoadScopeScheduling

    import zoo

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            if file.endswith("test_tutorials.py"):
                return nodeid
            name = re.search(r"test_conformance\.py::\w+\[(\w+)", nodeid)
            return f"{file}::{zoo.info(name[1]).family}" if name else file

    return Scheduling(config, log)


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """Where the built-in data sets lie, each prepared once."""
    return tmp_path_factory.mktemp("tensorflow_datasets")


@pytest.fixture(autouse=True)
def released():
    """A test leaves no graphs of its training steps in TensorFlow's tables: there are two thousand tests."""
    if "tensorflow" not in sys.modules:
        yield
        return
    from zoo import backend

    with backend.released():
        yield


@pytest.fixture(scope="session", autouse=True)
def short_measurements():
    """A training measures its pipeline by a batch: nobody reads that here."""
    if "keras" not in sys.modules:  # nothing trains
        yield
        return
    from zoo.training import throughput

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(throughput.Pace, "seconds", 0.0)
        yield


@pytest.fixture(scope="session", autouse=True)
def drawn_once():
    """Each figure of a run is drawn once, and then blank but of its size: drawing is a fifth of a small training. The
    tests that look at what was drawn ask for `drawn`."""
    from matplotlib.figure import Figure
    from PIL import Image

    draw, seen, wanted = Figure.savefig, set(), []

    def savefig(figure, path, **options):
        kind = os.path.basename(path) if isinstance(path, str | os.PathLike) else None
        if kind in seen and not wanted:
            Image.new("1", tuple(map(int, figure.bbox.size))).save(path, format="png")
        else:
            draw(figure, path, **options)
            seen.add(kind)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", savefig)
        yield wanted


@pytest.fixture(scope="module")
def drawn(drawn_once):
    """From here on, figures are drawn."""
    drawn_once.append(True)
    yield
    drawn_once.pop()
