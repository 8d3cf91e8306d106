"""Every group of kinds; a way in which data comes is a module here and a line below."""

from __future__ import annotations

from serving.proofs.bad_data.kinds.consents import CONSENTS
from serving.proofs.bad_data.kinds.excel import EXCEL
from serving.proofs.bad_data.kinds.joined import JOINED
from serving.proofs.bad_data.kinds.json_lines import JSON_LINES
from serving.proofs.bad_data.kinds.packed import OF_GZIP, OF_ZIP
from serving.proofs.bad_data.kinds.parquet import PARQUET
from serving.proofs.bad_data.kinds.plain import PLAIN
from serving.proofs.bad_data.kinds.settings import OF_SETTINGS
from serving.proofs.bad_data.spoilt_load import Group

GROUPS: dict[str, Group] = {
    "Excel": EXCEL,
    "JSON lines": JSON_LINES,
    "gzip": OF_GZIP,
    "zip": OF_ZIP,
    "Parquet": PARQUET,
    "whole files": PLAIN,
    "settings": OF_SETTINGS,
    "joined files": JOINED,
    "consents": CONSENTS,
}
