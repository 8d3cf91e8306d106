"""Whom the rules of an audience fit, as a pure function of what is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from features.config.audiences import AudienceSection
from features.definitions.unlisted.segments import STAGES
from models.arrays import Bools, Floats
from models.churn.bands import band
from serving.audiences.known import Known
from serving.audiences.people import Numbers

STAGE_NUMBERS: Mapping[str, int] = {name: number for number, name in STAGES.items()}


@dataclass(frozen=True)
class Chosen:
    """The `places` (chosen,) of those who are in, among all who may be written to, in the order in
    which they are given; `bands` (customers,) are the bands of all, empty where there is none, and
    `left_out` how many no rule fits.
    """

    places: Numbers
    bands: list[str]
    left_out: Mapping[str, int]


def chosen(audience: AudienceSection, customers: Numbers, known: Known) -> Chosen:
    """Who is in an audience. What is not known fits no rule."""
    bands = _bands(customers, known)
    fits = np.ones(len(customers), dtype=bool)
    if audience.stages:
        fits &= np.isin(known.stages, [STAGE_NUMBERS[name] for name in audience.stages])
    if audience.bands:
        fits &= np.isin(np.array(bands, dtype=object), list(audience.bands)).astype(bool)
    if audience.value_at_least is not None:
        fits &= _at_least(known.value, audience.value_at_least)
    if audience.not_heard_from_days is not None:
        fits &= _at_least(known.heard_from, audience.not_heard_from_days)
    places = np.flatnonzero(fits)
    # Those of whom nothing is expected to be known come last, and those alike as they are numbered.
    order = np.argsort(-np.nan_to_num(known.value[places], nan=-1.0), kind="stable")
    ordered = places[order][: audience.most]
    left_out = {"no_rule_fits": len(customers) - len(places)}
    if len(ordered) < len(places):
        left_out["beyond_most"] = len(places) - len(ordered)
    return Chosen(ordered, bands, left_out)


def _bands(customers: Numbers, known: Known) -> list[str]:
    """The band of each, where there is an estimate: the one that a person set comes first."""
    return [
        "" if np.isnan(chance) else known.set.get(customer, band(chance))
        for customer, chance in zip(customers.tolist(), known.chance.tolist(), strict=True)
    ]


def _at_least(values: Floats, least: float) -> Bools:
    return np.asarray(np.nan_to_num(values, nan=-1.0) >= least, dtype=bool)
