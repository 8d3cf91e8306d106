"""The languages that customers are spoken to in: gettext catalogs (`.po`), read once and checked.

Each language is a file `LANGUAGE.po`. A shop can put files of its own into the folder `words` of
its workspace: they reword single sentences of a language that is there, or add a language of which
every sentence is translated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from babel import UnknownLocaleError
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import PoFileError, read_po

from explain.wording import ENGLISH, Wording, locale_of, plural_categories
from features.errors import SaysoError

PLACE = re.compile(r"\{(\w*)\}")
FORMS_OF_TWO = 2
REFERENCE = "de"
"""The language whose files list every sentence; a test holds all others to it, and it to the
sources.
"""
OWN_WORDS = "words"
"""Folder of a workspace with the shop's own wording."""
Sentences = Mapping[str, Sequence[str]]


class WordsRefused(SaysoError):
    """A file of words cannot be used.

    `file` is its name and `line` (1-based) the line to look at.
    """

    def __init__(self, message: str, *, file: str, line: int | None = None) -> None:
        super().__init__(f"{file}, line {line}: {message}" if line else f"{file}: {message}")
        self.file = file
        self.line = line


class Words:
    """Every language there is. `otherwise` is what is spoken where a language is not known."""

    def __init__(self, wordings: Mapping[str, Wording], otherwise: str = ENGLISH) -> None:
        self._wordings = {ENGLISH: Wording(), **wordings}
        self._by_tag = {tag.casefold(): tag for tag in self._wordings}
        self.otherwise = self.known(otherwise) or ENGLISH

    @property
    def languages(self) -> Mapping[str, str]:
        """Each language's own name, by tag."""
        return {tag: _own_name(tag) for tag in self._wordings}

    def known(self, language: str | None) -> str | None:
        """The tag of a language, or of the language that it is a variety of; None where there is
        neither.
        """
        tag = (language or "").casefold().replace("_", "-")
        return self._by_tag.get(tag) or self._by_tag.get(tag.split("-")[0])

    def wording(self, language: str | None = None) -> Wording:
        """The wording of a language; of the shop's own where it is not known."""
        return self._wordings[self.known(language) or self.otherwise]

    def accepted(self, header: str) -> str | None:
        """The language of an `Accept-Language` header (RFC 9110) that its sender likes best; None
        where there is none of them.
        """
        asked = [part.split(";") for part in header[:500].split(",")]
        weighed = sorted(
            ((_weight(parameters), tag.strip()) for tag, *parameters in asked),
            key=lambda pair: -pair[0],
        )
        return next(
            (known for weight, tag in weighed if weight > 0 and (known := self.known(tag))), None
        )


def open_words(
    own: Path | None, otherwise: str = ENGLISH, packages: Sequence[str] = ("explain",)
) -> Words:
    """The languages of `packages`, with a workspace's own words in place of theirs.

    Raises `WordsRefused` for a file that cannot be used.
    """
    built_in = {
        tag: Wording(tag, sentences) for tag, sentences in _built_in(tuple(packages)).items()
    }
    for file in sorted((own / OWN_WORDS).glob("*.po")) if own is not None else []:
        tag = file.stem
        sentences = _read(file, tag)
        if tag not in built_in and tag != ENGLISH:
            _require_all(sentences, [text for text, _ in every_sentence(packages)], file)
        before = built_in.get(tag, Wording(tag)).sentences
        built_in[tag] = Wording(tag, {**before, **sentences})
    return Words(built_in, otherwise)


def every_sentence(packages: Sequence[str] = ("explain",)) -> list[tuple[str, str]]:
    """Every sentence of `packages` with its plural (or an empty text), in English and in the order
    of their files.
    """
    found: dict[str, str] = {}
    for package in packages:
        catalog = _catalog(files(package).joinpath("locales", f"{REFERENCE}.po"), REFERENCE)
        for message in catalog:
            if message.id:
                text, many = (
                    message.id if isinstance(message.id, (tuple, list)) else (message.id, "")
                )
                found[text] = many
    return list(found.items())


@cache
def _built_in(packages: tuple[str, ...]) -> dict[str, Sentences]:
    found: dict[str, dict[str, Sequence[str]]] = {}
    for package in packages:
        for file in sorted(
            files(package).joinpath("locales").iterdir(), key=lambda file: file.name
        ):
            if file.name.endswith(".po"):
                tag = file.name.removesuffix(".po")
                found.setdefault(tag, {}).update(_read(file, tag))
    return dict(found)


def _read(file: Traversable, tag: str) -> dict[str, Sequence[str]]:
    """The translated sentences of a file by their English text, each checked against it."""
    catalog = _catalog(file, tag)
    return {
        english: _checked(message, forms, file.name, tag)
        for message, english, forms in _translated(catalog)
    }


def _catalog(file: Traversable, tag: str) -> Catalog:
    try:
        locale_of(tag)
    except (UnknownLocaleError, ValueError):
        raise WordsRefused(
            f"`{tag}` is no language tag; name the file like `de.po`", file=file.name
        ) from None
    try:
        with file.open("rb") as content:
            return read_po(content, abort_invalid=True)
    except (PoFileError, UnicodeDecodeError, ValueError) as error:
        raise WordsRefused(f"this is no .po file: {error}", file=file.name) from None


def _translated(catalog: Catalog) -> Iterator[tuple[Message, str, tuple[str, ...]]]:
    for message in catalog:
        forms = message.string if isinstance(message.string, (tuple, list)) else (message.string,)
        if message.id and any(forms):
            english = message.id[0] if isinstance(message.id, (tuple, list)) else message.id
            yield message, str(english), tuple(str(form) for form in forms)


def _checked(message: Message, forms: tuple[str, ...], file: str, tag: str) -> tuple[str, ...]:
    """The forms of a translation.

    Raises `WordsRefused` where one is missing, or has other places than the English sentence.
    """
    english = message.id if isinstance(message.id, (tuple, list)) else (message.id,)
    allowed = set(PLACE.findall(" ".join(english)))
    categories = plural_categories(tag)
    if len(english) > 1 and len(forms) not in {FORMS_OF_TWO, len(categories)}:
        raise WordsRefused(
            f"“{english[0]}” needs {len(categories)} forms ({', '.join(categories)})",
            file=file,
            line=message.lineno,
        )
    for number, form in enumerate(forms):
        found = set(PLACE.findall(form))
        # A form for one or two can say the number in a word.
        may_omit = {"count"} if number < len(forms) - 1 else set()
        missing = sorted(allowed - found - may_omit)
        if not form or missing or found - allowed or re.search(r"[{}]", PLACE.sub("", form)):
            raise WordsRefused(
                _fault(form, english[-1], missing, sorted(found - allowed)),
                file=file,
                line=message.lineno,
            )
    return forms


def _fault(form: str, english: str, missing: Sequence[str], unknown: Sequence[str]) -> str:
    if not form:
        return f"a form of the translation of “{english}” is empty"
    said = [f"lacks {', '.join(f'{{{name}}}' for name in missing)}"] if missing else []
    said += (
        [f"has {', '.join(f'{{{name}}}' for name in unknown)}, which nothing fills"]
        if unknown
        else []
    )
    return (
        f"“{form}” {' and '.join(said) or 'has a brace that belongs to no place'}; the English is"
        f" “{english}”"
    )


def _require_all(sentences: Sentences, every: Sequence[str], file: Path) -> None:
    missing = [english for english in every if english not in sentences]
    if missing:
        raise WordsRefused(
            f"a new language needs all {len(every)} sentences, and {len(missing)} are missing, the"
            f" first is “{missing[0]}”; `sayso templates --po` prints the file to fill",
            file=file.name,
        )


def _own_name(tag: str) -> str:
    locale = locale_of(tag)
    name = str(locale.get_language_name(locale.language) or tag)
    return name[:1].upper() + name[1:] if str(locale.language) == tag else f"{name} ({tag})"


def _weight(parameters: Iterable[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.strip().partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
