"""How plain a text is: words that customers must not meet, and how hard it is to read."""

from __future__ import annotations

import re

MOST_WORDS = 20
HARDEST = 40
"""The highest LIX that is allowed for English (Bjornsson 1968): up to 40 is read with ease."""
LONG = 6
JARGON = re.compile(
    r"\b(shap|shapley|log-odds|logit|features?|models?|because|scores?|scoring|algorithms?|coefficients?|churn|attribution|contribution)\b"
    r"|\b(Merkmale?|Modelle?|Algorithmus|weil|algorithme|modèle|parce"
    r" que|car|algoritmo|modelo|porque|algorytm|ponieważ|gdyż)\b",
    re.IGNORECASE,
)
"""Words of the trade, and words that claim a cause."""


def banned(text: str) -> list[str]:
    """The words of a text that must not reach a customer."""
    return [found.group() for found in JARGON.finditer(text)]


def lix(text: str) -> float:
    """Readability: words per sentence, plus long words of 100."""
    words = re.findall(r"[^\W\d_]+", text)
    sentences = max(len(re.findall(r"[.!?:]", text)), 1)
    return len(words) / sentences + 100 * sum(len(word) > LONG for word in words) / max(
        len(words), 1
    )
