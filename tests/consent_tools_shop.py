"""A shop of the tests that recorded nothing, declares browsing, and takes what consent tools
tell.
"""

from __future__ import annotations

from pathlib import Path

from features.intake.setup.new_workspace import create

TOOLS = """
[categories.browsing]
label = "What you looked at"
description = "The products that you looked at."

[[notices]]
purpose = "recommendations"
version = "from now on"
language = "en"
text = "May we use what you share from now on?"
"""
FIELD = """
[fields.interactions.{name}]
category = "browsing"
purposes = ["recommendations", "churn_prediction"]
sensitivity = "ordinary"
source = "orders"
retention_days = 365
label = "{name}"
"""
FIELDS = ("browsed", "browsed_at", "browsed_product_id", "browsed_session")
SIGNED = """
[consent_tools.{name}]
form = "{form}"
{more}

[[consent_tools.{name}.choices]]
purpose = "recommendations"
categories = ["browsing"]
needs = [{needs}]
notice_version = "1"
"""


def tool(name: str, form: str, needs: str, more: str = "") -> str:
    """A consent tool that says whether browsing may be used for recommendations."""
    return SIGNED.format(name=name, form=form, needs=needs, more=more)


def make_shop(root: Path, *tools: str) -> Path:
    """A new workspace whose `sayso.toml` declares browsing and these consent tools."""
    create(root)
    with (root / "sayso.toml").open("a", encoding="utf-8") as file:
        file.write(TOOLS + "".join(FIELD.format(name=name) for name in FIELDS) + "".join(tools))
    return root


SIGNATURE = '{header = "X-Signature", secret = "${SAYSO_TEST_TOOL_SECRET}"'
BANNER = """
method = "cookie_banner"

[[consent_tools.banner.choices]]
purpose = "churn_prediction"
categories = ["purchases", "spending"]
needs = ["ad_storage"]
notice_version = "1"
"""
OTHER = """
granted = ["ACTIVE"]
denied = ["WITHDRAWN", "NO_CHOICE"]
[consent_tools.other.paths]
customer = ["person.account", "person.visitor"]
states = "purposes"
state_name = "Id"
state_value = "Status"
moment = "at"
version = "policy.version"
"""
STAMPED = (
    f'signature = {SIGNATURE}, encoding = "base64", prefix = "v1=", timestamp_header = "X-At"}}'
)
