"""What a review project knows, in one SQLite file that a kill at any moment leaves whole."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from vrpsam_app.errors import ConfigError, OutputError

Verdict = Literal["accept", "fix", "reject", "undo"]
Status = Literal["new", "failed", "waiting", "accepted", "fixed", "rejected"]
STATUSES: tuple[Status, ...] = get_args(Status)

SCHEMA_VERSION = 1
_WAIT_SECONDS = 30.0  # for another process that is writing

_TABLES = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE pictures (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    path TEXT NOT NULL UNIQUE,
    bytes INTEGER NOT NULL,
    sha256 TEXT,
    shape TEXT,
    eight_bit INTEGER,
    error TEXT,
    added TEXT NOT NULL
);
CREATE INDEX pictures_by_content ON pictures (sha256);
CREATE TABLE results (
    picture INTEGER PRIMARY KEY REFERENCES pictures (id),
    question TEXT NOT NULL,
    masks TEXT NOT NULL,
    classes TEXT NOT NULL,
    certainty REAL NOT NULL,
    made TEXT NOT NULL
);
CREATE TABLE decisions (
    id INTEGER PRIMARY KEY,
    picture INTEGER NOT NULL REFERENCES pictures (id),
    verdict TEXT NOT NULL,
    question TEXT,
    masks TEXT NOT NULL,
    who TEXT NOT NULL,
    at TEXT NOT NULL,
    note TEXT NOT NULL
);
CREATE INDEX decisions_by_picture ON decisions (picture, id);
"""

# The last decision on each picture beside its result. A verdict on an earlier result is history.
_ROWS = """
SELECT pictures.*, results.question, results.masks AS result_masks, results.classes,
    results.certainty, results.made, decisions.verdict, decisions.masks AS fixed_masks,
    decisions.who, decisions.at, decisions.note,
    CASE
        WHEN decisions.verdict = 'fix' THEN 'fixed'
        WHEN decisions.verdict = 'reject' AND decisions.question IS results.question
            THEN 'rejected'
        WHEN decisions.verdict = 'accept' AND decisions.question IS results.question
            THEN 'accepted'
        WHEN pictures.error IS NOT NULL THEN 'failed'
        WHEN results.picture IS NOT NULL THEN 'waiting'
        ELSE 'new'
    END AS status
FROM pictures
LEFT JOIN results ON results.picture = pictures.id
LEFT JOIN decisions ON decisions.id = (
    SELECT max(id) FROM decisions WHERE decisions.picture = pictures.id
)
"""


@dataclass(frozen=True, slots=True)
class ClassFinding:
    """What the segmenter said of one class in a picture."""

    score: float
    presence: float
    present: bool
    share: float

    @property
    def certainty(self) -> float:
        """How sure the answer is, in [0, 1]: of a mask its score, of none that there is nothing."""
        return self.score if self.present else 1 - self.presence


@dataclass(frozen=True, slots=True)
class PictureState:
    """One picture of a project, its result, and what was decided about it.

    Attributes
    ----------
    id, name : of the picture in this project
    path : of the file, relative to the project if it lies inside
    sha256, shape, eight_bit : of the pixels; None while the file could not be read
    status : new, failed, waiting (for a person), accepted, fixed or rejected
    error : why the picture could not be segmented
    question : key of what the segmenter was asked; None without a result
    masks : mask file by class, relative to the project: the person's where there is one, else the
        segmenter's
    classes : what the segmenter said of each class
    certainty : of the least certain class; None without a result
    who, at, note : of the last decision
    """

    id: int
    name: str
    path: Path
    sha256: str | None
    shape: tuple[int, ...] | None
    eight_bit: bool | None
    status: Status
    error: str | None
    question: str | None
    masks: Mapping[str, Path]
    classes: Mapping[str, ClassFinding]
    certainty: float | None
    who: str | None
    at: str | None
    note: str | None


class ReviewState:
    """The tables of a project; every method opens the file for itself, so any thread may call it.

    Parameters
    ----------
    path : the SQLite file

    Raises
    ------
    ConfigError
        If there is no such file, or it is not one of this release.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.is_file():
            raise ConfigError(
                f"{path.parent} is not a review project: it has no {path.name}. Make one with "
                "vrpsam batch init, or give the folder of one."
            )
        version = self.fact("schema_version")
        if version != SCHEMA_VERSION:
            raise ConfigError(
                f"{path} has schema version {version!r}, this release reads {SCHEMA_VERSION}. Open "
                "the project with the release that made it."
            )

    @classmethod
    def create(cls, path: Path) -> ReviewState:
        """Make the tables.

        Raises
        ------
        OutputError
            If the file exists or cannot be made.
        """
        if path.exists():
            raise OutputError(
                f"{path.parent} is a review project already: choose another folder, or add to this "
                "one with vrpsam batch add."
            )
        # Under another name first: a project that was killed here is none.
        partial = path.with_name(f".{path.name}.part")
        with _explained(path):
            partial.unlink(missing_ok=True)
            with contextlib.closing(sqlite3.connect(partial)) as connection, connection:
                connection.executescript(_TABLES)
                connection.executemany(
                    "INSERT INTO facts VALUES (?, ?)",
                    [
                        ("schema_version", json.dumps(SCHEMA_VERSION)),
                        ("created", json.dumps(now())),
                    ],
                )
            os.replace(partial, path)
        return cls(path)

    def fact(self, name: str, default: Any = None) -> Any:
        """Return a plain value that was kept under a name."""
        with self._open() as connection:
            row = connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
            return default if row is None else json.loads(row["value"])

    def keep_fact(self, name: str, value: Any) -> None:
        """Keep a plain value under a name."""
        with self._open() as connection:
            connection.execute(
                "INSERT INTO facts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = ?",
                (name, json.dumps(value), json.dumps(value)),
            )

    def pictures(self, statuses: Sequence[Status] = STATUSES) -> list[PictureState]:
        """Return the pictures of some statuses in the order in which they were added."""
        with self._open() as connection:
            rows = connection.execute(f"{_ROWS} ORDER BY pictures.id").fetchall()
            return [_picture_state(row) for row in rows if row["status"] in statuses]

    def picture(self, name: str) -> PictureState:
        """Return a picture by its name, or the end of its path.

        Raises
        ------
        ConfigError
            If there is none, or several.
        """
        with self._open() as connection:
            rows = connection.execute(f"{_ROWS} WHERE pictures.name = ?", (name,)).fetchall()
            found = [_picture_state(row) for row in rows]
        if not found:
            parts = Path(name).parts
            found = [p for p in self.pictures() if p.path.parts[-len(parts) :] == parts]
        if len(found) != 1:
            what = "no picture" if not found else f"{len(found)} pictures"
            raise ConfigError(
                f"The project has {what} {name!r}: expected a name as vrpsam batch list shows it."
            )
        return found[0]

    def contents(self) -> dict[str, str]:
        """Return the name of the picture with each hash of pixels."""
        with self._open() as connection:
            rows = connection.execute(
                "SELECT sha256, name FROM pictures WHERE sha256 IS NOT NULL ORDER BY id DESC"
            ).fetchall()
            return {row["sha256"]: row["name"] for row in rows}

    def add_picture(
        self,
        name: str,
        path: Path,
        size: int,
        *,
        sha256: str | None = None,
        shape: Sequence[int] | None = None,
        eight_bit: bool | None = None,
        error: str | None = None,
    ) -> None:
        """Add a picture, or say anew what is known of the one at `path`."""
        with self._open() as connection:
            connection.execute(
                "INSERT INTO pictures (name, path, bytes, sha256, shape, eight_bit, error, added)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (path) DO UPDATE SET"
                " bytes = excluded.bytes, sha256 = excluded.sha256, shape = excluded.shape,"
                " eight_bit = excluded.eight_bit, error = excluded.error",
                (
                    name,
                    path.as_posix(),
                    size,
                    sha256,
                    None if shape is None else json.dumps(list(shape)),
                    eight_bit,
                    None if error is None else _as_text(error),
                    now(),
                ),
            )

    def keep_result(
        self,
        picture: int,
        question: str,
        masks: Mapping[str, Path],
        classes: Mapping[str, ClassFinding],
    ) -> None:
        """Keep what the segmenter answered in the place of an earlier answer or failure."""
        certainty = min(finding.certainty for finding in classes.values())
        plain = {label: [f.score, f.presence, f.present, f.share] for label, f in classes.items()}
        with self._open() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?, ?)",
                (picture, question, _masks_json(masks), json.dumps(plain), certainty, now()),
            )
            connection.execute("UPDATE pictures SET error = NULL WHERE id = ?", (picture,))

    def keep_failure(self, picture: int, error: str) -> None:
        """Keep why a picture has no result; an earlier one is dropped."""
        with self._open() as connection:
            connection.execute("DELETE FROM results WHERE picture = ?", (picture,))
            connection.execute(
                "UPDATE pictures SET error = ? WHERE id = ?", (_as_text(error), picture)
            )

    def decide(
        self,
        picture: PictureState,
        verdict: Verdict,
        who: str,
        note: str = "",
        masks: Mapping[str, Path] | None = None,
    ) -> None:
        """Add a decision to those on a picture; nothing is ever taken back but by another one."""
        with self._open() as connection:
            connection.execute(
                "INSERT INTO decisions (picture, verdict, question, masks, who, at, note)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (picture.id, verdict, picture.question, _masks_json(masks or {}), who, now(), note),
            )

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Open the file for one transaction, which is on disk when the block ends."""
        with (
            _explained(self._path),
            contextlib.closing(sqlite3.connect(self._path, timeout=_WAIT_SECONDS)) as connection,
            connection,
        ):
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA foreign_keys = ON")
            yield connection


def now() -> str:
    """Return the time in UTC, to the second, as ISO 8601 has it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        raise OutputError(
            f"{path} cannot be read or written ({error}). Check the folder's rights and the free "
            "space, and that no other program holds it."
        ) from error
    except (sqlite3.DatabaseError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path} is damaged or no review project ({error}). Use a copy of it."
        ) from error


def _as_text(message: str) -> str:
    """Return a message that can be kept: it may tell names of files that are not UTF-8."""
    return message.encode(errors="backslashreplace").decode()


def _picture_state(row: sqlite3.Row) -> PictureState:
    classes = json.loads(row["classes"] or "{}")
    drawn = row["fixed_masks"] if row["status"] == "fixed" else row["result_masks"]
    masks = json.loads(drawn or "{}")
    return PictureState(
        id=row["id"],
        name=row["name"],
        path=Path(row["path"]),
        sha256=row["sha256"],
        shape=None if row["shape"] is None else tuple(json.loads(row["shape"])),
        eight_bit=None if row["eight_bit"] is None else bool(row["eight_bit"]),
        status=row["status"],
        error=row["error"],
        question=row["question"],
        masks={label: Path(path) for label, path in masks.items()},
        classes={label: ClassFinding(*values) for label, values in classes.items()},
        certainty=row["certainty"],
        who=row["who"],
        at=row["at"],
        note=row["note"],
    )


def _masks_json(masks: Mapping[str, Path]) -> str:
    return json.dumps({label: path.as_posix() for label, path in masks.items()})
