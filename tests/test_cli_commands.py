"""The command line: what each command prints, and how it ends."""

from __future__ import annotations

import io
import json
import socket
import subprocess
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from features.errors import SaysoError
from features.shop.shop import Shop
from features.shop.workspace import Workspace
from models.registry import CHALLENGER, CHAMPION
from models.tracking import Tracking
from serving.access.api_keys import SCOPES
from serving.cli import main
from tests.made_up_registries import noted
from tests.serving_shop import CATEGORIES, CHURN, FOR_CHURN, copied, customer_id, sharing

pytest_plugins = ["tests.serving_fixtures"]

COMMANDS = [
    *(
        ["demo"],
        ["init"],
        ["ingest"],
        ["consent"],
        ["consent", "import"],
        ["consent", "show"],
        ["consent", "verify"],
        ["features"],
    ),
    *(
        ["train"],
        ["promote"],
        ["score"],
        ["serve"],
        ["keys"],
        ["keys", "create"],
        ["keys", "list"],
        ["keys", "revoke"],
    ),
]
HEADER = ["customer_id", "purpose", "category", "action", "notice_version", "method", "occurred_at"]
GRANT = ["newcomer", FOR_CHURN, "purchases", "granted", "1", "web_form", "2024-05-01T10:00:00Z"]


@dataclass(frozen=True)
class Done:
    """How a command ended and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def sayso(*words: object, workspace: Path | None = None) -> Done:
    """The command as a shop calls it, but within this process, since a new one takes seconds to
    start.
    """
    named = [] if workspace is None else ["--workspace", str(workspace)]
    printed, complained = io.StringIO(), io.StringIO()
    called = sys.argv
    sys.argv = ["sayso", *map(str, words), *named]
    try:
        with redirect_stdout(printed), redirect_stderr(complained):
            main()
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    except SaysoError:
        traceback.print_exc(file=complained)
        code = 1
    finally:
        sys.argv = called
    return Done(code, printed.getvalue(), complained.getvalue())


def told(done: Done) -> dict:
    """The one JSON object that a command printed."""
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    document = json.loads(done.stdout)
    assert isinstance(document, dict)
    return document


def failed(done: Done, *words: str) -> None:
    """Fails unless a command failed with exit 1 and one paragraph on stderr that has these
    words.
    """
    assert done.returncode == 1, (done.returncode, done.stderr)
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "\n\n" not in done.stderr.strip()
    for word in words:
        assert word in done.stderr


@pytest.fixture(scope="module")
def root(untrained_root, tmp_path_factory) -> Path:
    """A workspace with orders, consents and no model, for the commands that leave it as it is or
    only add keys.
    """
    return copied(untrained_root, tmp_path_factory.mktemp("cli") / "mugs")


@pytest.fixture
def mine(untrained_root, tmp_path) -> Path:
    """Such a workspace for one test to change."""
    return copied(untrained_root, tmp_path / "mugs")


def consent_file(folder: Path, *rows: list[str], header: list[str] = HEADER) -> Path:
    """A file of consents."""
    file = folder / "consents.csv"
    file.write_text("\n".join(",".join(row) for row in (header, *rows)) + "\n", encoding="utf-8")
    return file


def test_the_installed_command_fails_as_the_function_does(tmp_path):
    """`sayso` as a process of its own ends with 1 and one paragraph on stderr."""
    command = [
        Path(sys.executable).parent / "sayso",
        "keys",
        "list",
        "--workspace",
        tmp_path / "nowhere",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - our own command
    failed(Done(done.returncode, done.stdout, done.stderr), "sayso init")


def test_every_command_explains_itself():
    """`--help` of the whole and of each command ends well and names its options."""
    for command in ([], *COMMANDS):
        done = sayso(*command, "--help")
        assert done.returncode == 0
        assert "Usage:" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["train"],
        ["train", "weather"],
        ["promote", "weather"],
        ["score", "next_purchase", "--out", "x"],
        ["score", "churn"],
        ["features", "--out", "x"],
        ["features", "--as-of", "tomorrow", "--out", "x"],
        ["serve", "--port", "99999"],
        ["keys", "create"],
        ["keys", "revoke"],
        ["consent", "import"],
        ["ingest", "--fast"],
    ],
    ids=" ".join,
)
def test_wrong_use_ends_with_two(words):
    """An unknown command, option or value, or a missing one, ends with 2 and says how it is
    used.
    """
    done = sayso(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Usage:" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["ingest"],
        ["train", "churn"],
        ["promote", "churn"],
        ["keys", "list"],
        ["consent", "verify"],
        ["consent", "show", "x"],
        ["serve"],
    ],
    ids=" ".join,
)
def test_a_missing_workspace_is_told(words, tmp_path):
    """A command on a folder that is no workspace says so and what to do, and makes nothing
    there.
    """
    failed(sayso(*words, workspace=tmp_path / "nowhere"), "nowhere", "sayso init")
    assert list(tmp_path.iterdir()) == []


def test_a_failure_shows_its_traceback_with_debug_only(tmp_path):
    """`--debug` shows where a failure came from."""
    done = sayso("keys", "list", "--debug", workspace=tmp_path / "nowhere")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_before_ingest_commands_say_what_is_missing(tmp_path):
    """Training, features and scores of an empty workspace fail in one paragraph."""
    empty = tmp_path / "empty"
    assert told(sayso("init", empty, "--json"))["workspace"] == str(empty)
    failed(sayso("train", "churn", workspace=empty), "ingest")
    failed(
        sayso(
            "features", "--as-of", "2024-06-01", "--out", tmp_path / "f.parquet", workspace=empty
        ),
        "ingest",
    )
    failed(sayso("score", "churn", "--out", tmp_path / "s.parquet", workspace=empty), "churn")
    failed(sayso("promote", "churn", workspace=empty), "no challenger", "sayso train churn")


def test_init_ingest_and_simulated_consents_make_a_shop(untrained_root, tmp_path):
    """A shop's own file becomes a workspace with a loaded warehouse, each step with its JSON;
    loading twice adds nothing.
    """
    root = tmp_path / "new"
    made = told(sayso("init", root, "--from", untrained_root.parent / "orders.csv", "--json"))
    assert {guess["column"] for guess in made["guesses"]} >= {
        "customer_id",
        "order_id",
        "product_id",
        "ordered_at",
        "title",
    }
    first, again = (told(sayso("ingest", "--json", workspace=root)) for _ in range(2))
    assert first["kept"] == again["kept"] > 5_000
    assert first["rejected"] == 0
    assert told(sayso("consent", "verify", "--json", workspace=root)) == {
        "events": 0,
        "decisions": 0,
        "anchors": 0,
        "holds": True,
    }
    failed(sayso("train", "churn", workspace=root))
    failed(sayso("train", "next_purchase", workspace=root))
    failed(sayso("init", root), "workspace already")


def test_too_little_to_learn_from_leaves_the_registry_alone(untrained_root, tmp_path):
    """Training on a handful of orders fails with what is needed and registers nothing."""
    few = tmp_path / "orders.csv"
    pd.read_csv(untrained_root.parent / "orders.csv").tail(40).to_csv(few, index=False)
    root = tmp_path / "few"
    told(sayso("init", root, "--from", few, "--json"))
    told(sayso("ingest", "--json", workspace=root))
    told(sayso("consent", "simulate", "--everything", "--json", workspace=root))
    for model in ("churn", "next_purchase"):
        failed(sayso("train", model, workspace=root), "ore history")
        assert Tracking.of(Workspace.open(root)).by_alias(model, CHALLENGER) is None


def test_consents_come_in_once_and_can_be_shown(mine, tmp_path):
    """A right file is imported, a second time adds nothing, and `show` tells what stands and how it
    came to that.
    """
    file = consent_file(
        tmp_path,
        GRANT,
        [*GRANT[:3], "withdrawn", *GRANT[4:6], "2024-05-02T10:00:00Z"],
        [*GRANT[:2], "spending", *GRANT[3:]],
    )
    first = told(sayso("consent", "import", file, "--json", workspace=mine))
    again = told(sayso("consent", "import", file, "--json", workspace=mine))
    assert (first["added"], first["repeated"]) == (3, 0)
    assert (again["added"], again["repeated"], again["ledger_seq"]) == (0, 3, first["ledger_seq"])
    shown = told(sayso("consent", "show", "newcomer", "--json", workspace=mine))
    state = {
        entry["category"]: entry["action"]
        for entry in shown["state"]
        if entry["purpose"] == FOR_CHURN
    }
    assert state == {
        "purchases": "withdrawn",
        "order_times": "unknown",
        "spending": "granted",
        "location": "unknown",
    }
    assert [event["action"] for event in shown["history"]] == ["granted", "withdrawn", "granted"]
    assert told(sayso("consent", "verify", "--json", workspace=mine))["holds"] is True
    people = sayso("consent", "show", "newcomer", workspace=mine)
    assert people.returncode == 0
    assert "withdrawn" in people.stdout


@pytest.mark.parametrize(
    ("rows", "header", "words"),
    [
        ([GRANT[:-1]], HEADER[:-1], ["occurred_at"]),
        ([GRANT, ["newcomer", "advertising", *GRANT[2:]]], HEADER, ["line 3", "advertising"]),
        ([["", *GRANT[1:]]], HEADER, ["line 2", "customer"]),
        ([["null", *GRANT[1:]]], HEADER, ["line 2", "'null' is nobody's id"]),
        ([["NaN", *GRANT[1:]]], HEADER, ["line 2", "'NaN' is nobody's id"]),
        ([[*GRANT[:6], "yesterday"]], HEADER, ["line 2", "yesterday"]),
        ([[*GRANT[:4], "", *GRANT[5:]]], HEADER, ["line 2", "notice"]),
    ],
)
def test_a_faulty_consent_file_is_refused_as_a_whole(root, tmp_path, rows, header, words):
    """A missing column or one bad row is told with its line, and nothing of the file is written."""
    before = told(sayso("consent", "verify", "--json", workspace=root))
    failed(
        sayso("consent", "import", consent_file(tmp_path, *rows, header=header), workspace=root),
        *words,
    )
    assert told(sayso("consent", "verify", "--json", workspace=root)) == before


def test_an_import_says_what_does_not_count_and_reads_times_in_a_zone(mine, tmp_path):
    """A withdrawal stands against a grant that only looks newer for want of an offset, and the
    command says by which rule; a zone that does not exist is wrong use.
    """
    withdrawal = ["traveller", *GRANT[1:3], "withdrawn", "1", "form", "2024-05-01T11:00:00Z"]
    told(sayso("consent", "import", consent_file(tmp_path, withdrawal), "--json", workspace=mine))
    local = consent_file(tmp_path, ["traveller", *GRANT[1:6], "2024-05-01T12:30:00"])
    done = sayso("consent", "import", local, "--time-zone", "Europe/Athens", workspace=mine)
    assert "1 events by the rule `older_grant`" in done.stdout
    shown = told(sayso("consent", "show", " traveller", "--json", workspace=mine))
    assert shown["history"][-1]["occurred_at"] == "2024-05-01T09:30:00.000000Z"
    assert shown["history"][-1]["rule"] == "older_grant"
    assert "withdrawn" in {entry["action"] for entry in shown["state"]}
    wrong = sayso("consent", "import", local, "--time-zone", "Mars/Olympus", workspace=mine)
    assert wrong.returncode == 2


def test_a_consent_file_that_is_none_is_refused(root, tmp_path):
    """A missing file, a folder and a file of bytes are told in one paragraph."""
    (tmp_path / "bytes.csv").write_bytes(bytes(range(256)) * 4)
    (tmp_path / "bytes.parquet").write_bytes(b"PAR1 but no more")
    for file in ("missing.csv", ".", "bytes.csv", "bytes.parquet"):
        failed(sayso("consent", "import", tmp_path / file, workspace=root))


def test_an_unknown_customer_has_no_consents_to_show(root):
    """Showing somebody the shop never told of fails with their id."""
    failed(sayso("consent", "show", "nobody", workspace=root), "nobody")


def test_features_are_missing_where_withheld(root, tmp_path):
    """Who withholds spending has `NaN` in every feature that reads it and values elsewhere;
    pseudonyms come on request.
    """
    file = tmp_path / "features.parquet"
    done = told(sayso("features", "--as-of", "2024-09-01", "--out", file, "--json", workspace=root))
    frame = pd.read_parquet(file).set_index("customer_id")
    assert done["rows"] == len(frame) > 200
    without = frame.loc[frame.index.isin(sharing("purchases", "order_times", "location"))]
    assert len(without) > 3
    assert (
        without[["total_spent", "spent_last_90_days", "usual_price", "average_order_value"]]
        .isna()
        .all(axis=None)
    )
    assert without[["orders", "days_since_last_order"]].notna().all(axis=None)
    assert not set(sharing()) & set(frame.index)
    told(
        sayso(
            "features",
            "--as-of",
            "2024-09-01",
            "--out",
            file,
            "--pseudonyms",
            "--json",
            workspace=root,
        )
    )
    hidden = pd.read_parquet(file)
    assert "customer_id" not in hidden
    assert not set(frame.index) & set(hidden["customer"].astype(str))
    told(
        sayso(
            "features",
            "--as-of",
            "2024-09-01",
            "--out",
            file,
            "--model",
            "next_purchase",
            "--json",
            workspace=root,
        )
    )
    assert "product_id" in pd.read_parquet(file)


def test_a_file_that_cannot_be_written_is_told(root, tmp_path):
    """An output in a folder that does not exist fails in one paragraph."""
    failed(
        sayso(
            "features",
            "--as-of",
            "2024-09-01",
            "--out",
            tmp_path / "no" / "f.parquet",
            workspace=root,
        ),
        "no",
    )


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_scores_are_those_of_the_service(served_root, service, tmp_path, ending):
    """The batch holds a row for everybody who may be scored, each as the service estimates it."""
    file = tmp_path / f"scores.{ending}"
    done = told(sayso("score", "churn", "--out", file, "--json", workspace=served_root))
    frame = pd.read_csv(file) if ending == "csv" else pd.read_parquet(file)
    assert done["customers"] == len(frame) == sum(done["bands"].values()) > 200
    assert frame["probability"].is_monotonic_decreasing
    for row in frame.sample(8, random_state=1).itertuples():
        estimate = service.churn(row.customer_id)
        assert estimate["probability"] == pytest.approx(row.probability, abs=1e-12)
        assert set(json.loads(row.contributions)) == {
            part["feature"] for part in estimate["explanation"]["contributions"]
        }
        assert set(row.used.split(",")) == set(estimate["consent"]["used"])


def test_keys_are_made_listed_and_revoked(root):
    """A key's secret is shown once, the list shows it without, and a revoked one cannot be revoked
    again.
    """
    made = told(
        sayso(
            *("keys", "create", "--scope", "score", "--scope", "explain", "--name", "crm"),
            *("--owner", "Nora", "--expires", "2100-01-01", "--json"),
            workspace=root,
        )
    )
    assert made["expires_at"] == "2100-01-01T00:00:00.000000Z"
    assert (made["name"], made["owner"], made["last_used_at"]) == ("crm", "Nora", None)
    assert made["scopes"] == ["explain", "score"]
    listed = sayso("keys", "list", "--json", workspace=root)
    assert made["key"] not in listed.stdout
    assert made["id"] in {key["id"] for key in told(listed)["keys"]}
    assert told(sayso("keys", "revoke", made["id"], "--json", workspace=root)) == {
        "id": made["id"],
        "revoked": True,
        "links_revoked": True,
    }
    failed(sayso("keys", "revoke", made["id"], workspace=root), made["id"])
    failed(sayso("keys", "create", "--scope", "root", workspace=root), "root", "recommend")
    assert len(
        told(sayso("keys", "create", "--scope", "all", "--json", workspace=root))["scopes"]
    ) == len(SCOPES)


def test_a_port_in_use_is_told_in_one_line(root):
    """`sayso serve` on a port that is taken ends at once with one line that names it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = sayso("serve", "--port", port, workspace=root)
    failed(done, str(port), "in use")
    assert done.stderr.count("\n") == 1


def test_training_registers_a_challenger_and_a_failing_gate_leaves_it_one(mine, monkeypatch):
    """`train` prints its comparison and registers; `promote` refuses at a failing gate with its
    figure and changes nothing.
    """
    monkeypatch.setattr("experiments.training.tasks.churn.task.ChurnSettings", lambda: CHURN)
    done = told(sayso("train", "churn", "--json", workspace=mine))
    assert set(done["methods"]) == {"sayso", "logistic_rfm", "recency"}
    tracking = Tracking.of(Workspace.open(mine))
    challenger = tracking.by_alias("churn", CHALLENGER)
    assert challenger.version == done["version"]
    assert challenger.metrics["auc"] == pytest.approx(done["methods"]["sayso"]["auc"])
    assert challenger.tags["files_digest"] == done["files_digest"]
    wrong = {name: 0.5 for name in challenger.metrics if name.endswith("ece")}
    right = dict.fromkeys(wrong, 0.01) | {"auc": 0.99}
    noted(tracking, challenger, {"auc": 0.99, **wrong})
    failed(
        sayso("promote", "churn", "--yes", "--json", workspace=mine),
        "calibrated",
        "stays a challenger",
    )
    assert tracking.by_alias("churn", CHAMPION) is None
    noted(tracking, challenger, right)
    promoted = told(sayso("promote", "churn", "--yes", "--json", workspace=mine))
    assert all(gate["passed"] for gate in promoted["gates"].values())
    assert promoted["override"] is None
    assert tracking.by_alias("churn", CHAMPION).version == challenger.version


def test_an_override_is_shown_and_a_champion_can_be_taken_back(trained_root, tmp_path):
    """`--override` promotes in spite of gates and says so in `models status`; `--rollback` undoes
    it, once.
    """
    mine = copied(trained_root, tmp_path / "mugs")
    tracking = Tracking.of(Workspace.open(mine))
    before = tracking.by_alias("churn", CHAMPION).version
    assert (
        told(sayso("models", "status", "--json", workspace=mine))["versions"][0]["override"] is None
    )
    failed(
        sayso("promote", "churn", "--yes", "--json", "--override", " ", workspace=mine),
        "needs a reason",
    )
    assert (
        sayso("promote", "churn", "--rollback", "--override", "x", workspace=mine).returncode == 2
    )
    failed(
        sayso("promote", "churn", "--rollback", "--yes", "--json", workspace=mine),
        "none to go back to",
    )
    done = told(
        sayso(
            "promote", "churn", "--yes", "--json", "--override", "a shop in a test", workspace=mine
        )
    )
    assert done["version"] == before
    assert "calibrated" in done["override"]["gates"]
    shown = sayso("models", "status", workspace=mine)
    assert "a shop in a test" in shown.stdout.replace("\n", " ") or "in spite of" in shown.stdout
    assert "The record ends at" in shown.stdout  # years ago, by the machine's own clock
    status = told(sayso("models", "status", "--json", workspace=mine))
    assert status["data_is_old"]
    assert status["data_until"] < "2026"
    found = {one["model"]: one["override"] for one in status["versions"]}
    assert found["churn"]["reason"] == "a shop in a test"
    assert found["next_purchase"] is None


def test_promotion_asks_before_it_acts(served_root):
    """Without `--yes` and without anybody to answer, nothing is promoted."""
    before = Tracking.of(Workspace.open(served_root)).by_alias("churn", CHAMPION)
    assert sayso("promote", "churn", workspace=served_root).returncode == 1
    assert Tracking.of(Workspace.open(served_root)).by_alias("churn", CHAMPION) == before


def test_a_shop_of_customers_is_known_by_its_ids(root):
    """The consents of the workspace are shown under the shop's own ids."""
    shown = told(sayso("consent", "show", customer_id(0), "--json", workspace=root))
    assert {entry["category"] for entry in shown["state"] if entry["action"] == "granted"} == set(
        CATEGORIES
    )
    assert Shop(Workspace.open(root)).customers.find(customer_id(0)) is not None


@pytest.mark.slow
def test_the_demo_tells_its_story_and_ends(tmp_path):
    """`sayso demo` makes everything from nothing and ends with 0; run it with `pytest -m slow`."""
    document = told(
        sayso("demo", "--exit", "--json", "--workspace", tmp_path / "demo", "--port", "3999")
    )
    story = document["story"]
    assert story["withdrawn"] not in story["after"]["consent"]["used"]
    for title, answer in (("dismissed", "without_dismissed"), ("opted_out", "without_product")):
        assert story[title] not in [item["title"] for item in story[answer]["items"]]
