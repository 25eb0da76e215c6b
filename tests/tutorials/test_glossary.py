"""The glossary and the tutorials agree: each term is explained where it is first used, and found in two languages."""

import re

import pytest
from scripts import ROOT, SCRIPTS, prose

GLOSSARY = ROOT / "tutorials" / "GLOSSARY.md"
ROW = re.compile(r"\| (?P<term>[^|]+) \| (?P<chinese>[^|]+) \| (?P<meaning>[^|]+) \|")


def entries():
    """(script, term, Chinese term, meaning) of each row; a heading links the tutorial that explains what follows."""
    script, rows = "", []
    for line in GLOSSARY.read_text(encoding="utf-8").splitlines():
        if heading := re.match(r"## \[[^]]+\]\((\S+)\)", line):
            script = heading[1]
        elif script and (row := ROW.match(line)) and row["term"] != "term" and not row["term"].startswith("--"):
            rows.append((script, row["term"].strip(), row["chinese"].strip(), row["meaning"].strip()))
    return rows


ENTRIES = entries()


def spelled(term):
    """A pattern for a term as it stands in a sentence: any of its forms ("pooling, pool"), in the plural as well."""
    forms = [re.escape(form.strip()).replace(r"\ ", r"[\s-]+").replace(r"\-", r"[\s-]+") for form in term.split(",")]
    return rf"(?<![\w`])(?:{'|'.join(forms)})(?:s|es)?(?![\w`])"


def line_around(found):
    return found.string[: found.end()].rpartition("\n")[2] + found.string[found.end() :].partition("\n")[0]


def text_of(script):
    return "\n\n".join(prose(script))


TEXTS = {script.name: text_of(script) for script in SCRIPTS}


def test_every_tutorial_has_its_section():
    named = re.findall(r"^## \[[^]]+\]\((\S+)\)", GLOSSARY.read_text(encoding="utf-8"), re.M)
    assert named == [script.name for script in SCRIPTS]


def test_a_term_stands_once():
    terms = [term.casefold() for _, term, _, _ in ENTRIES]
    assert len(terms) == len(set(terms))


@pytest.mark.parametrize("script, term, chinese, meaning", ENTRIES, ids=[f"{row[0][:2]} {row[1]}" for row in ENTRIES])
def test_a_term_is_explained_where_it_is_first_used(script, term, chinese, meaning):
    """In bold in its own tutorial, there not later than its first plain use, and in no tutorial before it.

    The first cell of a tutorial, which says what will come, may use what the tutorial then explains.
    """
    assert re.search("[\u4e00-\u9fff]", chinese) and len(meaning) > 15
    flags = re.IGNORECASE
    bold = re.compile(rf"\*\*[^*]*?{spelled(term)}[^*]*?\*\*", flags)
    assert bold.search(TEXTS[script]), f"{script} does not have {term!r} in bold"
    header, _, body = TEXTS[script].partition("\n\n## ")
    if not bold.search(header):
        first = re.search(spelled(term), body, flags)
        assert bold.search(body).start() <= first.start(), f"{script} uses {term!r} before it explains it"
    for earlier in sorted(TEXTS):
        if earlier < script:
            used = re.search(spelled(term), TEXTS[earlier], flags)
            assert not used, f"{earlier} uses {term!r}, which {script} explains: {line_around(used)}"


def test_the_words_of_the_field_are_there():
    """Those that a learner meets in any course or paper and will want to find here."""
    wanted = """
        feature map; receptive field; embedding; regularisation; generalisation; stride; cross-entropy; causal;
        batch normalisation; self-attention; cross-attention; teacher forcing; masked language modelling; momentum;
        Adam; Grad-CAM; dropout; validation set; residual connection; layer normalisation; feed-forward; overfitting;
        convolution; pooling; padding; softmax; learning rate; fine-tuning; triplet loss; negative sampling
    """
    forms = {form.strip().casefold() for _, term, _, _ in ENTRIES for form in term.split(",")}
    assert not [term for term in map(str.strip, wanted.split(";")) if term.casefold() not in forms]
