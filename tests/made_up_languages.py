"""Languages for tests: every sentence of the real ones with accents, a third longer, in brackets;
once from left to right, once not.

They are files that a shop could have put into its workspace, so they also prove that a language can
be added.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po

from explain.wording import plural_categories
from explain.words import OWN_WORDS, every_sentence
from serving.bootstrap import SPOKEN_BY

ACCENTED, MIRRORED = "en-XA", "ar-XB"
ACCENTS = str.maketrans("aceinouyAEIOUY", "áçéíñöúýÁÉÍÖÚÝ")


def accented(text: str) -> str:
    """A text with accents on its letters but for its places, in brackets, and a third longer as
    German or Finnish can be.
    """
    parts = re.split(r"(\{\w+\})", text)
    said = "".join(part if part.startswith("{") else part.translate(ACCENTS) for part in parts)
    return f"[{said}{' ~' * (len(text) // 6)}]"


def write_language(root: Path, tag: str) -> Path:
    """Put a language of every sentence into the words of the workspace in `root`."""
    catalog = Catalog(locale=tag.split("-", maxsplit=1)[0])
    for text, many in every_sentence(SPOKEN_BY):
        forms = [many] * len(plural_categories(tag)) if many else []
        catalog.add(
            (text, many) if many else text, tuple(map(accented, forms)) if many else accented(text)
        )
    file = root / OWN_WORDS / f"{tag}.po"
    file.parent.mkdir(exist_ok=True)
    with file.open("wb") as content:
        write_po(content, catalog)
    return file


def unaccented(texts: Sequence[str]) -> list[str]:
    """Those of some texts that did not go through the translations."""
    return [text for text in texts if text.strip() and "[" not in text]
