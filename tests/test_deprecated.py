"""Names of version 0.1 still work, with a warning."""

import importlib
import sys

import pytest

import zoo
from zoo import deprecated


@pytest.mark.parametrize("old", deprecated.MODULES)
def test_a_moved_module_is_found_under_its_old_name(old):
    new = importlib.import_module(deprecated.MODULES[old])
    sys.modules.pop(old, None)
    with pytest.warns(DeprecationWarning, match=f"{old} is now"):
        assert importlib.import_module(old) is new


def test_what_stood_in_zoo_graph_is_there():
    with pytest.warns(DeprecationWarning):
        sys.modules.pop("zoo.graph", None)
        from zoo.graph import Cost, Stage, blocks, costs, features, list_stages
    assert all(map(callable, (Cost, Stage, blocks, costs, features, list_stages)))
    assert zoo.costs is costs and zoo.features is features


@pytest.mark.parametrize("old", deprecated.NAMES)
def test_a_renamed_name_of_zoo_is_found(old):
    with pytest.warns(DeprecationWarning, match="is now"):
        assert getattr(zoo, old) is getattr(zoo, deprecated.NAMES[old])
