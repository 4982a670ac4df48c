"""References that outlive a run: named, with notes and thumbnails, in one file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vrpsam_app import __version__
from vrpsam_app.errors import ConfigError
from vrpsam_app.json_fields import json_bool, json_list, json_object, json_text
from vrpsam_app.library.archive import MAX_BYTES, read_archive, write_archive
from vrpsam_app.library.entry import MAX_NAME_LENGTH, LibraryEntry
from vrpsam_app.references import Reference
from vrpsam_app.stored_references import MAX_REFERENCES

FORMAT = "vrpsam-reference-library"
SCHEMA_VERSION = 1


@dataclass(frozen=True, eq=False)
class ReferenceLibrary:
    """Named references in an order; a change gives a new library.

    Attributes
    ----------
    entries : tuple of LibraryEntry
        No two with the same name; upper and lower case count as equal.

    Raises
    ------
    ConfigError
        If a name comes twice, or there are more than 10,000.

    Examples
    --------
    >>> library = ReferenceLibrary().add("round nucleus", reference)  # doctest: +SKIP
    >>> library.save("nuclei.zip")  # doctest: +SKIP
    >>> ReferenceLibrary.load("nuclei.zip").references()  # doctest: +SKIP
    """

    entries: tuple[LibraryEntry, ...] = ()

    def __post_init__(self) -> None:
        if len(self.entries) > MAX_REFERENCES:
            raise ConfigError(
                f"The library has {len(self.entries)} references: expected at most "
                f"{MAX_REFERENCES}. Split it."
            )
        seen: set[str] = set()
        for entry in self.entries:
            if entry.name.casefold() in seen:
                raise ConfigError(
                    f"The library has {entry.name!r} already: choose another name, or remove or "
                    "rename the one that is there."
                )
            seen.add(entry.name.casefold())

    @classmethod
    def from_references(cls, references: Iterable[Reference]) -> ReferenceLibrary:
        """Name references by their labels, ``nucleus``, ``nucleus 2``, ``not nucleus``."""
        library = cls()
        for reference in references:
            library = library.add(library.free_name(reference), reference)
        return library

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in order."""
        return tuple(entry.name for entry in self.entries)

    def entry(self, name: str) -> LibraryEntry:
        """Return the reference of a name, whatever its case.

        Raises
        ------
        ConfigError
            If there is none.
        """
        for entry in self.entries:
            if entry.name.casefold() == name.strip().casefold():
                return entry
        known = ", ".join(map(repr, self.names[:10])) or "nothing"
        more = f" and {len(self) - 10} more" if len(self) > 10 else ""
        raise ConfigError(f"The library has no reference {name!r}: it holds {known}{more}.")

    def references(self, names: Sequence[str] | None = None) -> tuple[Reference, ...]:
        """Return the references of some names, or all.

        Raises
        ------
        ConfigError
            If a name is unknown or a reference is damaged.
        """
        chosen = self.entries if names is None else tuple(self.entry(name) for name in names)
        return tuple(entry.reference for entry in chosen)

    def free_name(self, reference: Reference) -> str:
        """Return a name for a reference that is not taken yet, made of its label."""
        base = f"not {reference.label}" if reference.is_not_this else reference.label
        base = "".join(c for c in base if c.isprintable()).strip()[: MAX_NAME_LENGTH - 10]
        taken = {name.casefold() for name in self.names}
        name, number = base, 1
        while name.casefold() in taken:
            number += 1
            name = f"{base} {number}"
        return name

    def add(self, name: str, reference: Reference, notes: str = "") -> ReferenceLibrary:
        """Return the library with one more reference, at its end.

        Raises
        ------
        ConfigError
            If the name is taken or cannot be one.
        """
        return ReferenceLibrary(
            (*self.entries, LibraryEntry.from_reference(name, reference, notes))
        )

    def remove(self, name: str) -> ReferenceLibrary:
        """Return the library without a reference; raises ConfigError if there is none."""
        gone = self.entry(name)
        return ReferenceLibrary(tuple(entry for entry in self.entries if entry is not gone))

    def change(
        self, name: str, *, new_name: str | None = None, notes: str | None = None
    ) -> ReferenceLibrary:
        """Return the library with another name or other notes for one of its references.

        Raises
        ------
        ConfigError
            If there is no such reference, or the new name is taken or cannot be one.
        """
        old = self.entry(name)
        new = replace(
            old,
            name=old.name if new_name is None else new_name.strip(),
            notes=old.notes if notes is None else notes,
        )
        return ReferenceLibrary(tuple(new if entry is old else entry for entry in self.entries))

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the library to `path`: the whole file or nothing, equal bytes for equal content.

        Raises
        ------
        OutputError
            If `path` exists and `overwrite` is False, or cannot be written.
        """
        path = Path(path).expanduser()
        files: dict[str, bytes] = {}
        items = []
        for number, entry in enumerate(self.entries, start=1):
            stem = f"{number:05d}"
            names = {
                "image": entry.image_name,
                "positive": f"marks/{stem}_positive.png",
                "negative": f"marks/{stem}_negative.png",
                "thumbnail": f"thumbnails/{stem}.png",
            }
            files |= {name: getattr(entry, part) for part, name in names.items()}
            items.append(
                {
                    "name": entry.name,
                    "label": entry.label,
                    "kind": entry.kind,
                    "exhaustive": entry.exhaustive,
                    "not_this": entry.not_this,
                    "notes": entry.notes,
                    **names,
                    "content_key": entry.content_key,
                }
            )
        document = {
            "format": FORMAT,
            "schema_version": SCHEMA_VERSION,
            "made_with": __version__,
            "references": items,
        }
        write_archive(path, document, files, overwrite=overwrite)
        return path

    @classmethod
    def load(cls, path: str | Path, *, max_bytes: int = MAX_BYTES) -> ReferenceLibrary:
        """Read the library at `path`, which may come from anyone.

        Pictures are compared with their checksums now and decoded when they are asked for.

        Parameters
        ----------
        max_bytes : most that is read and unpacked

        Raises
        ------
        ConfigError
            If the file is missing, is no library of this release, is damaged, or made to do harm.
        """
        path = Path(path).expanduser()
        document, files = read_archive(path, max_bytes=max_bytes)
        if document.get("format") != FORMAT or document.get("schema_version") != SCHEMA_VERSION:
            raise ConfigError(
                f"{path} is {str(document.get('format'))[:40]!r} of version "
                f"{str(document.get('schema_version'))[:10]}: expected {FORMAT!r} of version "
                f"{SCHEMA_VERSION}. Read it with the release that wrote it."
            )
        try:
            items = json_list(document.get("references"), "references", MAX_REFERENCES)
            return cls(
                tuple(
                    _entry_from_json(json_object(item, f"references[{i}]"), files, f"[{i}]")
                    for i, item in enumerate(items)
                )
            )
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error


def _entry_from_json(
    item: Mapping[str, object], files: Mapping[str, bytes], where: str
) -> LibraryEntry:
    def text(field: str) -> str:
        return json_text(item.get(field), f"references{where}.{field}")

    def content(field: str) -> bytes:
        if (name := text(field)) not in files:
            raise ConfigError(
                f"references{where}.{field} is {name[:80]!r}, which the file does not hold. Use a "
                "copy of the original."
            )
        return files[name]

    return LibraryEntry(
        name=text("name"),
        label=text("label"),
        kind=text("kind"),
        exhaustive=json_bool(item.get("exhaustive"), f"references{where}.exhaustive"),
        not_this=json_bool(item.get("not_this"), f"references{where}.not_this"),
        notes=text("notes"),
        image_name=text("image"),
        image=content("image"),
        positive=content("positive"),
        negative=content("negative"),
        thumbnail=content("thumbnail"),
        content_key=text("content_key"),
    )
