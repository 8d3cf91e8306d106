"""The documents name what is there, and the folders are as small as they are said to be."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("features", "models", "explain", "experiments", "serving")
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
MOST_FILES = 15
MOST_LINES = 400
PATH = re.compile(rf"(?:{'|'.join((*PACKAGES, 'tests', 'docs'))})/[\w/.*-]*")
MODULE = re.compile(rf"(?:{'|'.join(PACKAGES)})(?:\.\w+)+")


def quoted(text: str) -> Iterator[str]:
    """What stands between backticks, but for whole blocks of code."""
    without_blocks = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return iter(re.findall(r"`([^`\n]+)`", without_blocks))


def folders() -> list[Path]:
    """Every folder of the five packages that holds Python files."""
    return sorted({file.parent for package in PACKAGES for file in (ROOT / package).rglob("*.py")})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_linked_file_is_there(document: Path) -> None:
    """Every relative link of a document leads to a file or a folder."""
    targets = re.findall(r"\]\(([^)#:\s]+)\)", document.read_text(encoding="utf-8"))
    assert [target for target in targets if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_named_path_is_there(document: Path) -> None:
    """Every path of the repository that a document names exists."""
    named = [text for text in quoted(document.read_text(encoding="utf-8")) if PATH.fullmatch(text)]
    assert [path for path in named if not list(ROOT.glob(path.rstrip("/")))] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_named_module_is_there(document: Path) -> None:
    """Every module that a document names exists, or is a name within a module that does."""
    named = [
        text for text in quoted(document.read_text(encoding="utf-8")) if MODULE.fullmatch(text)
    ]
    assert [name for name in named if not is_there(name)] == []


def is_there(name: str) -> bool:
    """Whether `name` is a folder, a module, or something defined in one."""
    path = ROOT / name.replace(".", "/")
    if path.is_dir() or path.with_suffix(".py").is_file():
        return True
    source = path.parent.with_suffix(".py")
    return (
        source.is_file() and re.search(rf"\b{path.name}\b", source.read_text("utf-8")) is not None
    )


def test_every_folder_is_named() -> None:
    """`docs/architecture.md` names every folder of the five packages."""
    named = set(quoted((ROOT / "docs/architecture.md").read_text(encoding="utf-8")))
    there = [f"{folder.relative_to(ROOT)}/" for folder in folders() if folder.parent != ROOT]
    assert [folder for folder in there if folder not in named] == []


def test_every_folder_says_what_it_is() -> None:
    """The docstring of each package is at least a sentence."""
    packages = sorted(
        file for package in PACKAGES for file in (ROOT / package).rglob("__init__.py")
    )
    said = {file: ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "" for file in packages}
    assert [str(file) for file, text in said.items() if not text.endswith(".")] == []


def test_no_folder_is_crowded() -> None:
    """No folder of the five packages holds more than fifteen Python files, its docstring apart."""
    counts = {folder: len(modules(folder)) for folder in folders()}
    assert {folder.name: count for folder, count in counts.items() if count > MOST_FILES} == {}


def modules(folder: Path) -> list[Path]:
    """The Python files of a folder without the one that says what it is."""
    return [file for file in folder.glob("*.py") if file.name != "__init__.py"]


def test_no_file_is_too_long() -> None:
    """No file is longer than 400 lines."""
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    lengths = {
        str(file.relative_to(ROOT)): len(file.read_text("utf-8").splitlines()) for file in files
    }
    assert {name: count for name, count in lengths.items() if count > MOST_LINES} == {}
