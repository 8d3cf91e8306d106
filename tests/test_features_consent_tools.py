"""`[consent_tools]` in sayso.toml: what cannot be meant is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from features.config.reading import ConfigError, read_config
from features.consent.tools.message import STRICT, TC_STRING
from serving.contract.consent_sources import ConsentModeMessage, TCStringMessage
from tests.consent_tools_shop import make_shop, tool

GENERIC = """
[consent_tools.t.paths]
customer = "who"
states = "states"
"""
SIGNED = 'signature = {header = "X-Signature", secret = "${SAYSO_T}"}'


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop without a tool."""
    return make_shop(tmp_path_factory.mktemp("config") / "shop")


def read(root: Path, section: str) -> str:
    """What is wrong with a section, where the error names a line of it; nothing where it is
    right.
    """
    text = (root / "sayso.toml").read_text(encoding="utf-8") + section
    file = root / "tried.toml"
    file.write_text(text, encoding="utf-8")
    try:
        read_config(file)
    except ConfigError as error:
        before = len(text.splitlines()) - len(section.splitlines())
        return str(error) if (error.line or 0) > before else f"at another line: {error.line}"
    return ""


@pytest.mark.parametrize(
    "section",
    [
        tool("t", "consent-mode", '"analytics_storage"', SIGNED),
        tool("t", "tcf", "1, 24", "vendor_id = 755"),
        tool("t", "tcf", "4", "publisher = true\noldest_policy = 2"),
        tool("t", "c15t", '"experience"', SIGNED),
        tool("t", "generic", '"x"', GENERIC),
        tool("t", "generic", '"x"', SIGNED + GENERIC + 'moment = ["a", "b.0.c"]'),
    ],
)
def test_tools_of_every_form_are_read(root, section):
    """Each form is right with what it needs."""
    assert read(root, section) == ""


@pytest.mark.parametrize(
    ("section", "words"),
    [
        (tool("t", "consent-mode", '"ad_storages"'), "Consent Mode has no `ad_storages`; it has"),
        (tool("t", "consent-mode", "1"), "1 is no name of a state"),
        (tool("t", "consent-mode", '"ad_storage"', "vendor_id = 7"), "are for the form `tcf`"),
        (tool("t", "consent-mode", '"ad_storage"', GENERIC), "`consent-mode` has its own"),
        (tool("t", "tcf", "1"), "needs either `vendor_id` or `publisher = true`"),
        (tool("t", "tcf", "1", "vendor_id = 7\npublisher = true"), "needs either `vendor_id` or"),
        (tool("t", "tcf", "25", "vendor_id = 7"), "25 is no purpose of the TCF"),
        (tool("t", "tcf", '"1"', "vendor_id = 7"), "'1' is no purpose of the TCF"),
        (tool("t", "tcf", "1", "vendor_id = 70000"), "consent_tools.t.vendor_id"),
        (tool("t", "generic", '"x"'), "needs `paths.customer` and `paths.states`"),
        (tool("t", "generic", '"x"', SIGNED + GENERIC), "a signed tool needs `paths.moment`"),
        (tool("t", "generic", '"x"', GENERIC + 'state_name = "id"'), "are stated together"),
        (tool("t", "generic", '"x"', 'denied = ["TRUE"]' + GENERIC), "`true` cannot be granted"),
        (tool("t", "c15t", '"x"', SIGNED.replace("${SAYSO_T}", "abc")), "signature.secret"),
        (tool("t", "smoke_signals", '"x"'), "consent_tools.t.form"),
        (tool("T t", "c15t", '"x"').replace("T t", '"T t"'), "should match pattern"),
        (
            tool("t", "c15t", '"x"').replace('"recommendations"', '"greetings"'),
            "the purpose `greetings` is not declared; there are `recommendations`",
        ),
        (
            tool("t", "c15t", '"x"').replace('["browsing"]', '["browsings"]'),
            "the category `browsings` is not asked for `recommendations`; asked for are",
        ),
        (
            tool("t", "c15t", '"x"').replace('["browsing"]', '["browsing", "browsing"]'),
            "`browsing` for `recommendations` is stated twice",
        ),
        (
            tool("t", "c15t", '"x"').replace('version = "1"', 'version = "9"'),
            "the notice of `recommendations` has no version `9`",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(root, section, words):
    """The sentence names what was found and what there is."""
    assert words in read(root, section)


def test_our_own_forms_are_described_as_they_are_read():
    """The fields of the API's description are those that are taken."""
    for form, message in (("consent-mode", ConsentModeMessage), ("tcf", TCStringMessage)):
        paths = STRICT[form]
        read = {getattr(paths, name) for name in paths.model_fields_set}
        read |= {TC_STRING} if form == "tcf" else set()
        assert read == set(message.model_fields)
