"""Tables of the database: the ledger, the online features, decisions, reviews, opt-outs, keys, and
what customers' rights need.

Written for SQLite and PostgreSQL alike. Inside, a customer is a random number (`customer`); the
shop's own id stands in the table `customers` and nowhere else. Every time is UTC, as text in ISO
8601 with microseconds, so that it sorts.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    false,
)

from features.database.declared.arrivals import arrivals as arrivals  # noqa: PLC0414 - told as its own
from features.database.declared.contacts import audience_members as audience_members  # noqa: PLC0414 - see above
from features.database.declared.contacts import contact_permissions as contact_permissions  # noqa: PLC0414 - see above
from features.database.declared.contacts import preferred_channels as preferred_channels  # noqa: PLC0414 - see above
from features.database.declared.events import decision_events as decision_events  # noqa: PLC0414 - see above
from features.database.declared.events import reporting_channels as reporting_channels  # noqa: PLC0414 - see above
from features.database.declared.kept_answers import kept_answers as kept_answers  # noqa: PLC0414 - see above
from features.database.declared.product_lists import product_lists as product_lists  # noqa: PLC0414 - see above
from features.database.declared.webhooks import webhook_calls as webhook_calls  # noqa: PLC0414 - see above
from features.database.declared.webhooks import webhooks as webhooks  # noqa: PLC0414 - see above
from features.database.metadata import metadata as metadata  # noqa: PLC0414 - see above

customers = Table(
    "customers",
    metadata,
    Column("customer", BigInteger, primary_key=True, autoincrement=False),
    Column("external_id", Text, nullable=False, unique=True),
)

merged_customers = Table(
    "merged_customers",
    metadata,
    Column("customer", BigInteger, primary_key=True, autoincrement=False),
    Column("kept", BigInteger, nullable=False),
    Column("merged_at", String(32), nullable=False),
    Column("actor", String(64)),
    Index(None, "kept"),
)
"""Numbers of before that stand for the customer `kept`: the shop's id was written in several ways,
or a visitor became the customer, which `actor` told. A visitor's id stays in `customers`.

Rows of chains and sealed content stay under the old number.
"""

customer_id_rule = Table(
    "customer_id_rule",
    metadata,
    Column("one_row", Integer, primary_key=True, autoincrement=False),
    Column("rule", String(64), nullable=False),
)
"""The rule that all ids in `customers` were brought to."""

consent_events = Table(
    "consent_events",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("customer", BigInteger, nullable=False),
    Column("purpose", String(64), nullable=False),
    Column("category", String(64), nullable=False),
    Column("action", String(16), nullable=False),
    Column("notice_version", String(64)),
    Column("method", String(128), nullable=False),
    Column("actor", String(64), nullable=False),
    Column("occurred_at", String(32), nullable=False),
    Column("received_at", String(32), nullable=False),
    Column("idempotency_key", String(128), unique=True),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("notice", String(64)),
    Column("notice_language", String(35)),
    Column("notice_digest", String(64)),
    Column("valid_until", String(32)),
    Column("covers_from", String(32)),
    Column("evidence_digest", String(64)),
    Column("stated_at", String(32)),
    Column("rule", String(32)),
    Index(None, "customer", "seq"),
)

evidence = Table(
    "evidence",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("customer", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Index(None, "customer"),
)

ledger_head = Table(
    "ledger_head",
    metadata,
    Column("one_row", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)

consent_state = Table(
    "consent_state",
    metadata,
    Column("customer", BigInteger, primary_key=True, autoincrement=False),
    Column("purpose", String(64), primary_key=True),
    Column("category", String(64), primary_key=True),
    Column("action", String(16), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("occurred_at", String(32), nullable=False),
    Column("notice_version", String(64)),
    Column("valid_until", String(32)),
    Column("covers_from", String(32)),
)

opt_outs = Table(
    "opt_outs",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("customer", BigInteger, nullable=False),
    Column("scope", String(32), nullable=False),
    Column("value", Text),
    Column("until", String(32)),
    Column("created_at", String(32), nullable=False),
    Column("actor", String(64)),
    Index(None, "customer"),
)

online_features = Table(
    "online_features",
    metadata,
    Column("customer", BigInteger, primary_key=True, autoincrement=False),
    Column("purpose", String(64), primary_key=True),
    Column("as_of", String(32), nullable=False),
    Column("layout", String(64), nullable=False),
    Column("content", LargeBinary, nullable=False),
)

decisions = Table(
    "decisions",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("id", String(40), nullable=False, unique=True),
    Column("customer", BigInteger),
    Column("kind", String(32), nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("ledger_seq", BigInteger, nullable=False),
    Column("model_name", String(64)),
    Column("model_version", String(32)),
    Column("content", LargeBinary),
    Column("content_digest", String(64), nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index(None, "customer", "created_at"),
    Index(None, "created_at"),
)

decision_head = Table(
    "decision_head",
    metadata,
    Column("one_row", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
)

payload_keys = Table(
    "payload_keys",
    metadata,
    Column("customer", BigInteger, primary_key=True, autoincrement=False),
    Column("master", String(16), nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Index(None, "master"),
)

training_sets = Table(
    "training_sets",
    metadata,
    Column("run_id", String(64), primary_key=True),
    Column("purpose", String(64), primary_key=True),
    Column("ledger_seq", BigInteger, nullable=False),
    Column("made_at", String(32), nullable=False),
    Column("customers", LargeBinary, nullable=False),
    Column("erased", Integer, nullable=False),
    Column("tainted_since", String(32)),
)

suppressed = Table(
    "suppressed",
    metadata,
    Column("tag", String(64), primary_key=True),
    Column("erased_at", String(32), nullable=False),
)

erasures = Table(
    "erasures",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("completed_at", String(32), nullable=False),
    Column("receipt", Text, nullable=False),
    Column("customer", BigInteger),
    Index(None, "customer", unique=True),
)
"""`customer` is a number that stands for nobody any more; it keeps a second receipt of the same
erasure out.
"""

corrections = Table(
    "corrections",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("customer", BigInteger, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("actor", String(64)),
    Index(None, "customer"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("scopes", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("revoked_at", String(32)),
    Column("name", String(48)),
    Column("owner", String(128)),
    Column("expires_at", String(32)),
    Column("last_used_at", String(32)),
)

revocations = Table(
    "revocations",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("value", String(64), primary_key=True),
    Column("revoked_at", String(32), nullable=False),
)
"""Links and sessions that open nothing any more though they are signed: one by its id, or all that
a customer or a key got until `revoked_at`.
"""

one_time_codes = Table(
    "one_time_codes",
    metadata,
    Column("customer", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False),
    Column("good_for", String(16)),
    Column("tries_left", Integer, nullable=False),
    Column("expires_at", String(32), nullable=False),
    Column("actor", String(64), nullable=False),
)
"""The code that a customer may use once, as a keyed digest; `good_for` names the one page that it
opens, nothing stands for any of them.
"""

wanted_codes = Table(
    "wanted_codes",
    metadata,
    Column("customer", BigInteger, primary_key=True, autoincrement=False),
    Column("good_for", String(16), nullable=False),
    Column("wanted_at", String(32), nullable=False),
)
"""Codes that customers asked for on their pages."""

reviews = Table(
    "reviews",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("customer", BigInteger, nullable=False),
    Column("decision_id", String(40), nullable=False),
    Column("open_for", String(40), unique=True),
    Column("status", String(16), nullable=False),
    Column("owner", Text, nullable=False),
    Column("created_at", String(32), nullable=False),
    Column("due_at", String(32), nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("reviewer", Text),
    Column("outcome", LargeBinary),
    Column("resolved_at", String(32)),
    Column("actor", String(64)),
    Index(None, "customer"),
    Index(None, "decision_id"),
    Index(None, "status", "due_at"),
)
"""`open_for` is the decision while the review is open and nothing afterwards, so a decision has one
open review at the most.
"""

set_bands = Table(
    "set_bands",
    metadata,
    Column("customer", BigInteger, primary_key=True, autoincrement=False),
    Column("band", String(16), nullable=False),
    Column("until", String(32), nullable=False),
    Column("review_id", String(40), nullable=False),
    Column("set_at", String(32), nullable=False),
)

exposures = Table(
    "exposures",
    metadata,
    Column("decision_id", String(40), primary_key=True),
    Column("customer", BigInteger, nullable=False),
    Column("channel", String(128), nullable=False),
    Column("shown_at", String(32), nullable=False),
    Column("places", Integer, nullable=False),
    Column("explored", Integer, nullable=False),
    Column("confirmed", Boolean, nullable=False, server_default=false()),
    Index(None, "customer", "channel", "shown_at"),
    Index(None, "shown_at"),
)
"""Recommendations given to a known customer: on which channel, how many products, and how many of
them were discoveries; `confirmed` is that the shop told that it was shown.
"""

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("key_id", String(40), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("at", String(32), nullable=False),
    Column("customer", BigInteger),
    Column("actor", String(64)),
    Column("link_id", String(40)),
    Column("request_id", String(128)),
    Index(None, "customer"),
    Index(None, "at"),
)
"""Who read what, and whose data it was: a key, a link or a member of staff (`actor`), in which
request. For a link `key_id` is the key whose answer held it.
"""

model_versions = Table(
    "model_versions",
    metadata,
    Column("model", String(64), primary_key=True),
    Column("version", String(20), primary_key=True),
    Column("run_id", String(64), nullable=False),
    Column("trained_at", String(32), nullable=False),
    Column("content", Text, nullable=False),
)
"""Every version of the models; `content` is JSON of its metrics, parameters and tags."""

model_roles = Table(
    "model_roles",
    metadata,
    Column("model", String(64), primary_key=True),
    Column("role", String(16), primary_key=True),
    Column("version", String(20), nullable=False),
)
"""Which version of a model is champion, and which its challenger."""

database_identity = Table(
    "database_identity",
    metadata,
    Column("one_row", Integer, primary_key=True, autoincrement=False),
    Column("id", String(40), nullable=False),
    Column("made_at", String(32), nullable=False),
    Column("came_from", String(40)),
    Column("moved_to", String(40)),
    Column("moved_where", Text),
    Column("moved_at", String(32)),
)
"""What tells this database from any other: its workspace knows the `id`.

`came_from` is the database that it is a copy of; where it was moved itself, `moved_to` is the id of
the copy that took its place and `moved_where` its address, without a password.
"""

undelivered = Table(
    "undelivered",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("reference", String(64), primary_key=True),
    Column("noted_at", String(32), nullable=False),
)
"""What was recorded for a caller who cannot have got the answer: a decision by its id, a consent by
its place in the ledger, an opt-out by its id. It names no customer.
"""
