"""`sayso templates`: every sentence with its features, and a file to reword or translate them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from explain.templates import SILENT, TEMPLATES
from explain.words import OWN_WORDS, WordsRefused, open_words
from features.errors import SaysoError
from serving.bootstrap import SPOKEN_BY
from serving.cli import command_line
from tests.made_up_languages import accented


def run(*arguments: str) -> str:
    """What the command prints."""
    result = CliRunner().invoke(command_line(), ["templates", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_every_sentence_is_listed_with_its_features(tmp_path):
    """As JSON each sentence has its key, features, directions and text in every language; for
    people its text is there too.
    """
    listed = json.loads(run("--workspace", str(tmp_path), "--json"))
    assert [template["key"] for template in listed["templates"]] == list(TEMPLATES)
    for template in listed["templates"]:
        stated = TEMPLATES[template["key"]]
        assert template["features"] == list(stated.features)
        assert set(template["directions"]) in ({"raises", "lowers"}, {"for"})
        assert set(template["texts"]) == {"en", "de", "es", "fr", "pl"}
        assert template["texts"]["en"][0] == stated.text
    assert listed["silent"] == dict(SILENT)
    assert "first_order" in run("--workspace", str(tmp_path))


def test_a_new_language_begins_with_the_file_that_the_command_prints(tmp_path):
    """The file for Italian names every sentence; while one is not translated it is refused, and
    once all are Italian is spoken.
    """
    empty = run("--workspace", str(tmp_path), "--po", "it")
    file = tmp_path / OWN_WORDS / "it.po"
    file.parent.mkdir()
    file.write_text(empty, encoding="utf-8")
    with pytest.raises(WordsRefused, match="sentences, and"):
        open_words(tmp_path, packages=SPOKEN_BY)
    file.write_text(_filled(empty), encoding="utf-8")
    assert open_words(tmp_path, packages=SPOKEN_BY).wording("it").say("today") == "[tödáý]"


def _filled(text: str) -> str:
    """A .po file with something made up in place of every empty translation."""
    head, *blocks = text.replace("#, fuzzy\n", "", 1).split("\n\n")
    return "\n\n".join([head, *(_filled_in(block) for block in blocks)])


def _filled_in(block: str) -> str:
    english = "".join(
        json.loads(line)
        for line in _quoted(
            block.rsplit("msgid_plural", maxsplit=1)[-1].split("msgstr", maxsplit=1)[0]
        )
    )
    words = json.dumps(accented(english), ensure_ascii=False)
    return "\n".join(
        line.replace('""', words) if line.startswith("msgstr") else line
        for line in block.split("\n")
    )


def _quoted(text: str) -> list[str]:
    return [
        '"' + part.split('"', 1)[1]
        for part in text.replace("msgid ", "").split("\n")
        if '"' in part
    ]


def test_a_known_language_is_printed_with_its_words():
    """The file for German holds the German sentences, to be changed."""
    assert 'msgstr "Erste Bestellung {ago}."' in run(
        "--workspace", str(Path("nowhere")), "--po", "de"
    )


@pytest.mark.parametrize("language", ["zz", "nonsense", "x-y-z-9"])
def test_what_is_no_language_is_refused(language):
    """A tag that no language has is named in the refusal."""
    with pytest.raises(SaysoError, match="no language tag"):
        run("--po", language)
