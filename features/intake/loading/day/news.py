"""What is new in the files of a source since they were read last."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from features.config.sources import Source
from features.intake.loading.loaded import LoadedSource
from features.intake.reading.containers import GZIP, begins_with, content_of, settled, stamp_of
from features.intake.reading.source_files import FileRead, Piece, ReadAnew, files_of, goes_on
from features.intake.reading.sources import file_name


@dataclass(frozen=True)
class News:
    """What is new of a source: `pieces` to read. `files` are those that hold what they held, and
    `copies` those that repeat another; all stand in the order of their names. `anew` says why all
    of it has to be read.
    """

    pieces: tuple[Piece, ...]
    files: dict[str, FileRead]
    copies: tuple[str, ...]
    order: tuple[str, ...]
    anew: str = ""


def news_of(source: Source, root: Path, before: LoadedSource) -> News:
    """What is new in the files of `source` since it was loaded `before`; a database has none.

    Raises `ReadAnew` where a file changed otherwise than by lines put behind the others, is gone,
    or stands before others that were read already; `SourceError` where there is none.
    """
    if source.url is not None:
        return News((), {}, (), ())
    named = {file_name(file, root): file for file in files_of(source.file, root)}
    known = {*before.files, *before.copies}
    if gone := known - named.keys():
        raise ReadAnew(f"{min(gone)} is gone")
    _refuse_changed_joins(source, root, before)
    pieces, files, copies, contents = [], {}, [], [one.content for one in before.files.values()]
    last = max((position for position, name in enumerate(named) if name in known), default=-1)
    for position, (name, file) in enumerate(named.items()):
        if name in before.files:
            found = _since(source, file, before.files[name])
            if isinstance(found, Piece):
                pieces.append(found)
            else:
                files[name] = found
            continue
        stamp, content = stamp_of(file), content_of(file)
        if content in contents:
            copies.append(name)
        elif name in before.copies or position < last:
            raise ReadAnew(f"{name} stands before files that were read already, or changed")
        else:
            contents.append(content)
            pieces.append(Piece(file, content, stamp))
    return News(tuple(pieces), files, tuple(copies), tuple(named))


def _since(source: Source, file: Path, read: FileRead) -> FileRead | Piece:
    """What became of a file: the same as before, or the piece that is new. Raises `ReadAnew`."""
    stamp, size = stamp_of(file), read.content.size
    if stamp is not None and stamp == read.stamp:
        return read
    plain = stamp is not None and file.is_file() and file.suffix.lower() != GZIP
    if plain and stamp is not None and stamp[0] >= size:
        if not begins_with(file, read.content):
            raise ReadAnew(f"{file.name} changed")
        grown = read.content if stamp[0] == size else content_of(file, known=read.content)
    elif (grown := content_of(file)) != read.content:
        raise ReadAnew(f"{file.name} changed")
    if grown == read.content:
        return replace(read, stamp=settled(file, stamp))
    if read.head is None or not goes_on(source, file):
        raise ReadAnew(f"{file.name} grew, and its rows are not read one by one")
    return Piece(file, grown, stamp, read)


def _refuse_changed_joins(source: Source, root: Path, before: LoadedSource) -> None:
    for join in source.joins:
        file, read = root / join.file, before.joined.get(join.file)
        if read is None or isinstance(_since(source, file, read), Piece):
            raise ReadAnew(f"{file.name} changed")
