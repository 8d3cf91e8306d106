"""The config: every fault is named with the line to look at."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from features.config.reading import ConfigError, read_config
from features.config.schema import Config
from features.config.toml_lines import KeyPath, TomlLines
from features.intake.setup.new_workspace import create


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A config that is right."""
    create(tmp_path / "shop")
    return tmp_path / "shop" / "sayso.toml"


def fault_in(file: Path, old: str, new: str) -> tuple[ConfigError, int]:
    """The error after `old` was replaced by `new` once, and the line on which `new` begins."""
    text = file.read_text(encoding="utf-8")
    at = text.index(old)
    file.write_text(text[:at] + new + text[at + len(old) :], encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_config(file)
    return caught.value, text[:at].count("\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            'category = "order_times"',
            'category = "ordertimes"',
            "the category `ordertimes` is not declared; declared are",
        ),
        (
            'purposes = ["recommendations", "churn_prediction", "fairness_audit"]',
            'purposes = ["marketing"]',
            "the purpose `marketing` is not declared",
        ),
        (
            'source = "orders"',
            'source = "order"',
            "the source `order` is not declared; declared are `orders`",
        ),
        (
            'sensitivity = "ordinary"',
            'sensitivity = "secret"',
            "`fields.transactions.order_id.sensitivity` is 'secret'",
        ),
        (
            "retention_days = 1095",
            "retention_days = 0",
            "`fields.transactions.order_id.retention_days` is 0",
        ),
        ("retention_days = 1095", 'retention_days = "long"', "retention_days"),
        ('language = "en"\ncurrency', 'tongue = "en"\ncurrency', "`shop.tongue` is not known here"),
        (
            'table = "transactions"',
            'table = "orders"',
            (
                "`sources.0.table` is 'orders': there is no such table; there are"
                " `interactions`, `transactions`, `customers`, `products`"
            ),
        ),
        (
            'table = "transactions"',
            'kinds = {look = ["seen"]}\ntable = "transactions"',
            "`sources.0.kinds.look` is 'look': there is no such kind; there are `booking`, `cart`",
        ),
        (
            "[fields.transactions.order_id]",
            "[fields.visits.order_id]",
            (
                "`fields.visits` is 'visits': there is no such table; there are"
                " `interactions`, `transactions`, `customers`, `products`"
            ),
        ),
        (
            'purpose = "recommendations"\nversion',
            'purpose = "greetings"\nversion',
            "the purpose `greetings` is not declared",
        ),
        (
            'purpose = "churn_prediction"\nhorizon_days',
            'purpose = "leaving"\nhorizon_days',
            "the purpose `leaving` is not declared",
        ),
        ("horizon_days = 90", "horizon_days = -1", "`models.churn.horizon_days` is -1"),
        ("horizon_days = 90", "horizon = 90", "`models.churn.horizon` is not known here"),
    ],
)
def test_a_wrong_value_is_named_with_its_line(old: str, new: str, words: str, file: Path) -> None:
    """Unknown names, unknown keys and values out of range are reported on the very line where they
    stand.
    """
    error, line = fault_in(file, old, new)
    assert words in str(error)
    assert error.line == line
    assert str(error).startswith(f"{file}, line {line}: ")


@pytest.mark.parametrize(
    ("removed", "table", "words"),
    [
        (
            'category = "purchases"\n',
            "[fields.transactions.order_id]",
            "`fields.transactions.order_id.category` is missing: every field needs a `category`",
        ),
        (
            'sensitivity = "ordinary"\n',
            "[fields.transactions.order_id]",
            "every field needs a `sensitivity`",
        ),
        (
            'label = "Your orders"\n',
            "[fields.transactions.order_id]",
            "every field needs a `label`",
        ),
        (
            'purposes = ["recommendations", "churn_prediction"]\n',
            "[fields.transactions.order_id]",
            "`transactions.order_id` has no purpose",
        ),
        (
            (
                'description = "The products in your orders and in your basket, and how many of'
                ' each."\n'
            ),
            "[categories.purchases]",
            "every category needs a `description`",
        ),
        ('table = "transactions"\n', "[[sources]]", "every source needs a `table`"),
    ],
)
def test_a_missing_key_is_named_with_the_line_of_its_table(
    removed: str, table: str, words: str, file: Path
) -> None:
    """What is absent has no line of its own, so the line of the table that lacks it is given."""
    error, _line = fault_in(file, removed, "")
    assert words in str(error)
    assert error.line == file.read_text(encoding="utf-8").splitlines().index(table) + 1


def test_a_purpose_nobody_was_told_of_is_refused(file: Path) -> None:
    """A purpose without a notice cannot have been agreed to."""
    error, line = fault_in(
        file,
        "[purposes.recommendations]",
        '[purposes.surprise]\nlabel = "S"\ndescription = "S"\n\n[purposes.recommendations]',
    )
    assert "the purpose `surprise` has no notice" in str(error)
    assert error.line == line


def test_more_categories_than_can_be_explained_are_refused(file: Path) -> None:
    """With eleven categories for one purpose the answers under all combinations would be too many,
    and that is told at once.
    """
    text = file.read_text(encoding="utf-8")
    field = text[text.index("[fields.transactions.amount]") :].split("\n\n")[0]
    for number in range(7):
        own = field.replace("amount]", f"extra{number}]").replace(
            'category = "spending"', f'category = "extra{number}"'
        )
        text += f'\n[categories.extra{number}]\nlabel = "E"\ndescription = "E"\n\n{own}\n'
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"asks for 11 categories, .* 10 at most"):
        read_config(file)


def test_broken_toml_is_said_to_be_none(file: Path) -> None:
    """A file that is not TOML is refused with the place where reading failed."""
    error, line = fault_in(file, "[shop]", "[shop")
    assert "this is not TOML" in str(error)
    assert f"line {line}" in str(error)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    """Without a config the way to one is told."""
    with pytest.raises(ConfigError, match="`sayso init` makes one"):
        read_config(tmp_path / "sayso.toml")


def test_the_catalog_says_what_the_file_says(file: Path) -> None:
    """Fields, categories and notices reach the gate as declared."""
    config = read_config(file)
    assert isinstance(config, Config)
    assert config.catalog.fields["customers.country"].category == "location"
    assert config.catalog.askable("fairness_audit") == ("location",)
    assert config.catalog.categories_of(["transactions.amount", "products.title"]) == {"spending"}
    assert config.catalog.current_notice("recommendations").version == "1"


KEYS = st.text("abcXYZ019_- .", min_size=1, max_size=6)
VALUES = st.recursive(
    st.integers(-9, 9) | st.booleans() | st.text("ab =[]#'", max_size=6),
    lambda inner: (
        st.lists(st.text("ab c", max_size=4), max_size=3)
        | st.lists(st.integers(0, 9), max_size=3)
        | inner
    ),
    max_leaves=3,
)
TABLES = st.dictionaries(KEYS, VALUES | st.dictionaries(KEYS, VALUES, max_size=3), max_size=4)
DOCUMENTS = st.dictionaries(
    KEYS,
    VALUES | TABLES | st.lists(TABLES.filter(bool), min_size=1, max_size=3),
    min_size=1,
    max_size=5,
)


def paths_of(node: Any, before: KeyPath = ()) -> dict[KeyPath, Any]:
    """Every path to a key or to a table of an array, with what stands there."""
    found: dict[KeyPath, Any] = {}
    items = enumerate(node) if isinstance(node, list) else node.items()
    for key, value in items:
        if isinstance(node, dict) or isinstance(value, dict):
            found[(*before, key)] = value
        if isinstance(value, dict | list):
            found |= paths_of(value, (*before, key))
    return found


def names_it(line: str, key: str) -> bool:
    """Whether the line states `key`, as a key or at the end of a table's header."""
    header = line.strip()
    read = tomllib.loads(header if header.startswith("[") else line)
    while isinstance(read, dict | list) and read:
        if isinstance(read, list):
            read = read[0]
            continue
        found, read = next(iter(read.items()))
        if found == key:
            return True
    return False


@given(DOCUMENTS)
def test_lines_of_keys_agree_with_what_toml_reads(document: dict[str, Any]) -> None:
    """In any document every value that stands on its own line is found on the line that states its
    key.
    """
    text = tomlkit.dumps(document)
    lines, rows = TomlLines(text), text.splitlines()
    assert tomllib.loads(text) == document
    for path, value in paths_of(document).items():
        number = lines.of(path)
        if isinstance(path[-1], str) and not isinstance(value, dict | list):
            assert number is not None
            assert names_it(rows[number - 1], path[-1])


def test_lines_of_an_absent_path_are_those_of_its_longest_beginning() -> None:
    """A key that is not there has the line of the table that lacks it; where even that is absent
    there is none.
    """
    lines = TomlLines(
        '[shop]\nname = "x"\n\n[[notices]]\npurpose = "a"\n[[notices]]\npurpose = "b"\n'
    )
    assert lines.of(("shop", "owner")) == 1
    assert lines.of(("notices", 1, "purpose")) == 7
    assert lines.of(("notices", 1, "text")) == 6
    assert lines.of(("fields",)) is None


def test_a_section_by_its_name_of_before_is_read_alike(file: Path) -> None:
    """`[manners]`, its older name, says the same as `[contact_policy]`; a fault has its line."""
    text = file.read_text("utf-8")
    now = read_config(file).contact_policy
    stated = text.replace("[contact_policy]", "[manners]").replace("floor = 0.25", "floor = 0.5")
    file.write_text(stated, "utf-8")
    assert read_config(file).contact_policy == now.model_copy(update={"floor": 0.5})
    file.write_text(stated.replace("floor = 0.5", "flor = 0.5"), "utf-8")
    with pytest.raises(ConfigError, match=r"`contact_policy\.flor` is not known here") as caught:
        read_config(file)
    assert caught.value.line == stated[: stated.index("floor = 0.5")].count("\n") + 1
    file.write_text(f"{stated}\n[contact_policy]\n", "utf-8")
    with pytest.raises(ConfigError, match="are the same section"):
        read_config(file)
