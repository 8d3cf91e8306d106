"""All planted leaks."""

from __future__ import annotations

from serving.proofs.withheld.leaks import of_answers, of_features, of_models

LEAKS = (*of_features.LEAKS, *of_models.LEAKS, *of_answers.LEAKS)
