"""A review project in a zip file, and out of one that may come from anybody."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import sqlite3
import zipfile
import zlib
from pathlib import Path

from vrpsam_app.errors import ConfigError, OutputError
from vrpsam_app.output_paths import prepare_folder
from vrpsam_app.review.project import LIBRARY_NAME, STATE_NAME, ReviewProject
from vrpsam_app.review.state import ReviewState

PREFIX = "project/"
"""Folder of the project inside the zip; whatever else lies there is for people to take."""

MAX_BYTES = 4 * 1024**3
_MAX_FILES = 50_000
_FOLDERS = ("pictures", "results", "fixed", "questions")
# One folder and no leading point, so that no part of a name is "..".
_NAME = re.compile(rf"(?:{'|'.join(_FOLDERS)})/\w[\w.-]*|{STATE_NAME}|{LIBRARY_NAME}")
_QUESTION = re.compile(r"\w+")  # part of file names
_CHUNK = 1 << 20


def pack_project(project: ReviewProject, archive: zipfile.ZipFile) -> None:
    """Add a project to a zip that is being written, below `PREFIX`.

    Raises
    ------
    ConfigError
        If one of its pictures lies elsewhere: add pictures with ``copy=True``.
    """
    _check_paths(project)
    for path in _files_of(project.folder):
        name = path.relative_to(project.folder).as_posix()
        archive.write(path, PREFIX + name)


def unpack_project(path: Path, folder: Path, *, max_bytes: int = MAX_BYTES) -> ReviewProject:
    """Take a project out of a zip that :func:`pack_project` filled.

    Parameters
    ----------
    path : the zip; only what lies below `PREFIX` is looked at
    folder : where the project goes; must not exist
    max_bytes : most that is unpacked

    Returns
    -------
    project : ReviewProject

    Raises
    ------
    ConfigError
        If the file is missing, holds no project, is damaged, or was made to do harm.
    OutputError
        If the folder exists or cannot be written. Nothing is left behind.
    """
    if folder.exists():
        raise OutputError(f"{folder} exists already: choose another folder for the project.")
    part = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}.part")
    prepare_folder(part)
    try:
        _unpack(path, part, max_bytes)
        _check_tables(part / STATE_NAME)
        _check_paths(ReviewProject(part))
        part.rename(folder)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise ConfigError(
            f"{path} cannot be read or unpacked ({error.strerror or error}). Give a .zip that was "
            "saved here, and check the free space."
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return ReviewProject(folder)


def _unpack(path: Path, folder: Path, max_bytes: int) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = _checked_members(archive, path, max_bytes)
            for name, info in members.items():
                target = folder / name
                target.parent.mkdir(exist_ok=True)
                with archive.open(info) as source, target.open("xb") as file:
                    shutil.copyfileobj(source, file, _CHUNK)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
    ) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(
            f"{path} is no zip file, or is damaged ({error}). Use a copy of the original."
        ) from error


def _checked_members(
    archive: zipfile.ZipFile, path: Path, max_bytes: int
) -> dict[str, zipfile.ZipInfo]:
    """Return the project's files by name, having looked at what they claim to be."""
    inside = [i for i in archive.infolist() if i.filename.startswith(PREFIX) and not i.is_dir()]
    members: dict[str, zipfile.ZipInfo] = {}
    for info in inside[: _MAX_FILES + 1]:
        name = info.filename.removeprefix(PREFIX)
        if not _NAME.fullmatch(name) or name.casefold() in members:
            raise ConfigError(
                f"{path} holds {info.filename[:80]!r}, which no project does. Use a copy of the "
                "original."
            )
        members[name.casefold()] = info
    if STATE_NAME not in members:
        raise ConfigError(
            f"{path} holds no {PREFIX}{STATE_NAME}: expected a .zip of results that was saved with "
            "its project."
        )
    size = sum(info.file_size for info in inside)
    if len(inside) > _MAX_FILES or size > max_bytes:
        raise ConfigError(
            f"{path} would unpack to {len(inside)} files of {size / 1e6:.0f} MB: at most "
            f"{_MAX_FILES} files of {max_bytes / 1e6:.0f} MB are taken. Unpack it yourself, and "
            "open the project with vrpsam batch."
        )
    return {info.filename.removeprefix(PREFIX): info for info in members.values()}


def _check_tables(path: Path) -> None:
    """Refuse a state with other tables than ours: a view or a trigger would run when it is read."""
    fresh = path.with_name(f"fresh-{secrets.token_hex(4)}.sqlite")
    ReviewState.create(fresh)
    try:
        if _schema_of(path) != _schema_of(fresh):
            raise ConfigError(
                "The project's state has other tables than this release writes. Use a copy of the "
                "original, or the release that wrote it."
            )
    finally:
        fresh.unlink()


def _schema_of(path: Path) -> set[tuple[str, str, str]]:
    try:
        uri = f"{path.resolve().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as connection:
            rows = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    except sqlite3.DatabaseError as error:
        raise ConfigError(
            f"The project's state is damaged ({error}). Use a copy of the original."
        ) from error
    return {(str(kind), str(name), str(sql)) for kind, name, sql in rows}


def _check_paths(project: ReviewProject) -> None:
    """Refuse a project that names files outside its folder."""
    root = project.folder.resolve()
    for picture in project.state.pictures():
        if picture.question is not None and not _QUESTION.fullmatch(picture.question):
            raise ConfigError(
                f"The picture {picture.name!r} answers a question {picture.question[:40]!r}, which "
                "no project asks. Use a copy of the original."
            )
        for path in (picture.path, *picture.masks.values()):
            if path.is_absolute() or not (root / path).resolve().is_relative_to(root):
                raise ConfigError(
                    f"The picture {picture.name!r} names {str(path)[:80]!r}, which lies outside "
                    "the project: only a project that holds its pictures goes into a zip."
                )


def _files_of(folder: Path) -> list[Path]:
    files = [folder / STATE_NAME, folder / LIBRARY_NAME]
    files += [p for name in _FOLDERS for p in sorted((folder / name).glob("*"))]
    return [p for p in files if p.is_file() and not p.is_symlink()]
