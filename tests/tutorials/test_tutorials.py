"""Every tutorial runs by itself: offline, without arguments, from the first cell to its claims.

`--smoke` runs each line with the fewest steps and judges what needs no training (`pytest -m tutorial`); the claims
about training run under `pytest -m slow`.
"""

import ast
import re

import pytest
from scripts import SCRIPTS, prose, run
from twins import twins_of

from zoo import registry


def check(finished, record, out):
    assert finished.returncode == 0, finished.stdout[-2000:] + finished.stderr[-4000:]
    assert record["plots"] and record["claims"]
    assert {path.name for path in out.iterdir() if path.suffix in (".png", ".gif")} == set(record["plots"])
    for claim in record["claims"]:
        assert claim["holds"] is not False, claim


@pytest.mark.tutorial
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_line_runs(script, tmp_path):
    finished, record = run(script, tmp_path / "out", "--smoke")
    check(finished, record, tmp_path / "out")
    assert record["smoke"]
    assert any(claim["holds"] for claim in record["claims"]), "no claim that needs no training"
    broken = {name for twin in twins_of(script.stem) for name in twin.fails}
    assert not [claim["name"] for claim in record["claims"] if claim["name"] not in broken], "claims without a twin"


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_claim_holds(script, tmp_path):
    finished, record = run(script, tmp_path / "out")
    check(finished, record, tmp_path / "out")
    if not record["skipped"]:
        assert all(claim["holds"] for claim in record["claims"])
    assert any(claim["baseline"] for claim in record["claims"]), "no figure beside any claim"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_the_form_of_a_tutorial(script):
    text = script.read_text(encoding="utf-8")
    cells = text.split("# %%")
    assert cells[0] == "" and cells[1].startswith(" [markdown]")
    for promise in ("**You will see**", "**Claims**", "**Beside them**", "**Takes**"):
        assert promise in cells[1], promise
    assert cells[-1].strip() == "lesson.finish()"
    assert max(map(len, text.splitlines())) <= 120
    assert not re.search(r"\bS\d:\d", text), "notes that the reader does not have"
    exercises = [cell for cell in prose(script) if "## Try it" in cell]
    assert exercises and all("<details>" in cell for cell in exercises), "exercises with their solutions folded away"
    nodes = ast.walk(ast.parse(text))
    calls = [node for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    names = [call.args[0].value for call in calls if call.func.id == "Tutorial"]
    assert names == [script.stem]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_cards_and_tutorials_name_each_other(script):
    """A tutorial builds each network whose card sends the reader to it, or teaches what to do with one."""
    text = script.read_text(encoding="utf-8")
    sent = [name for name in registry.list_models() if registry.info(name).tutorial == script.name]
    assert any(f'"{name}"' in text for name in registry.list_models()), f"{script.name} builds nothing of the zoo"
    assert not [name for name in sent if f'"{name}"' not in text]


def test_a_claim_that_fails_makes_the_exit_code_1(tmp_path):
    script = tmp_path / "99_fake.py"
    script.write_text(
        "from lesson import Tutorial\n"
        "lesson = Tutorial('99_fake')\n"
        "lesson.claim('holds', 1, '==', 1, exact=True)\n"
        "lesson.claim('too small', 0.5, '>=', 0.9)\n"
        "lesson.claim('not a number', float('nan'), '<=', 0.9)\n"
        "lesson.finish()\n"
    )
    finished, record = run(script, tmp_path / "out")
    assert finished.returncode == 1
    assert finished.stderr.strip() == "99_fake: 2 of 3 claims do not hold: too small; not a number"
    assert [claim["holds"] for claim in record["claims"]] == [True, False, False]
    assert "DOES NOT HOLD: too small 0.5 >= 0.9" in finished.stdout

    finished, record = run(script, tmp_path / "out", "--smoke")
    assert finished.returncode == 0
    assert [claim["holds"] for claim in record["claims"]] == [True, None, None]


def test_the_network_is_blocked(tmp_path):
    """The guard of `run` guards."""
    script = tmp_path / "98_network.py"
    script.write_text("import urllib.request\nurllib.request.urlopen('http://localhost:1')\n")
    finished, _ = run(script, tmp_path / "out")
    assert finished.returncode == 1
    assert "a tutorial asked for the network" in finished.stderr
