"""Each claim of a tutorial fails when its idea is broken (`tests/twins.py` says how the twins are written)."""

import pytest
from scripts import SCRIPTS, run
from twins import FOLDER, twins_of

TWINS = [twin for script in SCRIPTS for twin in twins_of(script.stem)]


def test_every_file_of_twins_has_its_tutorial():
    assert {path.stem for path in FOLDER.glob("*.toml")} <= {script.stem for script in SCRIPTS}


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_a_twin_changes_its_tutorial(twin, tmp_path):
    compile(twin.script(tmp_path).read_text(encoding="utf-8"), str(twin), "exec")
    assert twin.fails


@pytest.mark.slow
@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_the_claims_fail_when_the_idea_is_broken(twin, tmp_path):
    finished, record = run(twin.script(tmp_path), tmp_path / "out", *(["--smoke"] if twin.smoke else []))
    assert record is not None, finished.stdout[-2000:] + finished.stderr[-4000:]
    claims = {claim["name"]: claim for claim in record["claims"]}
    assert not [name for name in twin.fails if name not in claims], f"there is no such claim; there are {list(claims)}"
    still = {name: claims[name]["value"] for name in twin.fails if claims[name]["holds"] is not False}
    assert not still, f"{twin}: these hold all the same"
    for name, (low, high) in twin.values.items():
        assert low <= claims[name]["value"] <= high, claims[name]
