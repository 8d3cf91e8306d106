"""`sayso templates`."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from babel import UnknownLocaleError
from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po

from explain.templates import CHURN_TEMPLATES, FOR, LOWERS, RAISES, SILENT, TEMPLATES, Template
from explain.wording import Wording, locale_of, plural_categories
from explain.words import Words, every_sentence, open_words
from features.config.environment import Settings
from features.errors import SaysoError
from features.shop.workspace import Workspace
from serving.bootstrap import SPOKEN_BY
from serving.cli.options import DEFAULT_WORKSPACE, DebugOption, JsonOption, WorkspaceOption
from serving.cli.screen import Screen


def register(root: typer.Typer) -> None:
    """Add the command to `root`."""
    root.command("templates")(templates)


def templates(
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    *,
    po: Annotated[
        str | None,
        typer.Option(
            "--po",
            metavar="LANGUAGE",
            help="Print every sentence as a .po file of that language instead.",
        ),
    ] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List every sentence that a reason can be said in: its features, what it speaks for, and its
    text in each language.
    """
    words = _words(workspace)
    if po is not None:
        write_po(sys.stdout.buffer, _catalog(words, po), width=120)
        return
    screen = Screen(as_json=as_json)
    columns = ("sentence", "features", "speaks for", "key")
    rows = [
        (t.many or t.text, ", ".join(t.features), ", ".join(_directions(t)), t.key)
        for t in TEMPLATES.values()
    ]
    screen.table(
        f"{len(TEMPLATES)} sentences in {', '.join(words.languages.values())}", columns, rows
    )
    screen.say("\nFeatures without a sentence:")
    for feature, why in SILENT.items():
        screen.say(f"  {feature}: {why}")
    listed = [_document(template, words) for template in TEMPLATES.values()]
    screen.result({"languages": list(words.languages), "templates": listed, "silent": dict(SILENT)})


def _words(workspace: WorkspaceOption) -> Words:
    """The languages of the workspace where there is one, else those that come with Sayso."""
    if not (workspace / "sayso.toml").is_file():
        return open_words(None, packages=SPOKEN_BY)
    opened = Workspace.open(workspace, Settings())
    return open_words(opened.root, opened.config.shop.language, SPOKEN_BY)


def _directions(template: Template) -> tuple[str, ...]:
    return (RAISES, LOWERS) if template in CHURN_TEMPLATES else (FOR,)


def _document(template: Template, words: Words) -> dict[str, Any]:
    said = {language: _forms(template, words.wording(language)) for language in words.languages}
    return {
        "key": template.key,
        "features": list(template.features),
        "directions": list(_directions(template)),
        "texts": said,
    }


def _forms(template: Template, wording: Wording) -> list[str]:
    english = [template.text, template.many] if template.many else [template.text]
    return list(wording.sentences.get(template.text, english))


def _catalog(words: Words, language: str) -> Catalog:
    """Every sentence with what is known of it in `language`.

    Raises `SaysoError` for what is no language.
    """
    try:
        locale = locale_of(language)
    except (UnknownLocaleError, ValueError) as error:
        raise SaysoError(
            f"`{language}` is no language tag; write it like `de` or `pt-BR`"
        ) from error
    known = words.known(language)
    sentences = words.wording(known).sentences if known else {}
    catalog = Catalog(locale=str(locale.language), project="sayso")
    for text, many in every_sentence(SPOKEN_BY):
        empty = ("",) * len(plural_categories(language))
        catalog.add(
            (text, many) if many else text,
            tuple(sentences.get(text, empty)) if many else "".join(sentences.get(text, "")),
        )
    return catalog
