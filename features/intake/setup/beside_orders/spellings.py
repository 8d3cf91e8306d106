"""How systems call the columns of interactions and of customers' facts, as `bare` writes them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from features.intake.setup.column_facts import ColumnFacts
from features.intake.setup.column_synonyms import SPELLINGS, rank
from features.tables.declared.customers import BORN, COUNTRY, FIRST_SEEN, SEGMENT, SEX
from features.tables.declared.interactions import (
    CAMPAIGN_ID,
    CANCELLED,
    KIND,
    OCCURRED_AT,
    PRODUCT_ID,
    RATING,
    SESSION_ID,
    TICKET_ID,
)
from features.tables.declared.transactions import CUSTOMER_EMAIL, EVENT, ORDERED_AT
from features.tables.table import CUSTOMER_ID, Column, Kind
from features.tables.tables import STANDARD

WHOSE = (*SPELLINGS[CUSTOMER_ID], *SPELLINGS[CUSTOMER_EMAIL])

_SAID = {
    SESSION_ID: "sessionid session usersession visitid gasessionid sitzung sesion sesja",
    CAMPAIGN_ID: """
        campaignid campaign campaignname campaigntitle mailingid emailid newsletterid newsletter
        messageid kampagne campagne campana kampania
    """,
    TICKET_ID: "ticketid ticket ticketnumber caseid casenumber case",
    RATING: """
        csat csatscore satisfaction satisfactionscore satisfactionrating rating surveyresult
        surveyresults score bewertung zufriedenheit
    """,
    CANCELLED: "canceled cancelled iscanceled iscancelled storniert annule",
}
_OF_CUSTOMERS = {
    BORN: """
        born birthdate birthday dateofbirth dob birthyear yearofbirth age agegroup ageband agerange
        geburtsdatum geburtstag geburtsjahr alter altersgruppe datedenaissance anneedenaissance
        fechadenacimiento fechanacimiento edad dataurodzenia rokurodzenia wiek
    """,
    SEX: "sex gender geschlecht sexe genre sexo genero plec",
    FIRST_SEEN: """
        firstseen customersince membersince registeredat registrationdate registeredon signupdate
        signedupat accountcreated accountcreatedat dateregistered kundeseit
        registriertam clientdepuis
    """,
    SEGMENT: "segment customersegment customergroup customertype tier kundengruppe groupe grupo",
}
INTERACTIONS: Mapping[str, tuple[str, ...]] = {
    CUSTOMER_ID: WHOSE,
    KIND: SPELLINGS[EVENT],
    OCCURRED_AT: ("occurredat", "eventtimestamp", *SPELLINGS[ORDERED_AT]),
    PRODUCT_ID: SPELLINGS[PRODUCT_ID],
    **{column: tuple(words.split()) for column, words in _SAID.items()},
}
"""By the column of interactions."""
CUSTOMERS: Mapping[str, tuple[str, ...]] = {
    CUSTOMER_ID: (*WHOSE, "id"),
    COUNTRY: SPELLINGS[COUNTRY],
    **{column: tuple(words.split()) for column, words in _OF_CUSTOMERS.items()},
}
"""By the column of customers."""


def named(
    facts: Mapping[str, ColumnFacts],
    spelled: Mapping[str, tuple[str, ...]],
    table: str,
    taken: Collection[str] = (),
) -> dict[str, str]:
    """The columns of a file by what they are called, the most telling name whose cells may be that;
    none of `taken`.
    """
    found: dict[str, str] = {}
    for column, names in spelled.items():
        ranked = sorted(
            (place, position, name)
            for position, (name, its) in enumerate(facts.items())
            if name not in taken and name not in found.values()
            if (place := rank(name, names)) is not None
            if _may_be(STANDARD[table].stated_by_name[column], its)
        )
        if ranked:
            found[column] = ranked[0][2]
    return found


def _may_be(column: Column, its: ColumnFacts) -> bool:
    """Whether cells can be read as those of a column, as far as they are filled."""
    if not its.filled:
        return False
    return its.is_moment if column.kind is Kind.MOMENT else True
