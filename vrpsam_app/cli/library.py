"""``vrpsam library``: references that are kept in a file, for any number of runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from vrpsam_app.cli.marked_references import build_references
from vrpsam_app.cli.reference_options import add_reference_options

if TYPE_CHECKING:
    from vrpsam_app.library.entry import LibraryEntry


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    """Add the command, its actions and their options."""
    parser = commands.add_parser(
        "library",
        help="keep references in a file",
        description="Keep marked references by name in one .zip file; vrpsam segment --library "
        "takes them from there.",
        epilog='example: vrpsam library add cells.zip --name "round nucleus" --reference a.png '
        "--box 40,60,180,220 --label nucleus",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)

    def action(name: str, help_text: str) -> argparse.ArgumentParser:
        added = actions.add_parser(name, help=help_text, description=help_text)
        added.add_argument("file", type=Path, metavar="FILE", help="the library, a .zip")
        return added

    listing = action("list", "Say what a library holds.")
    listing.set_defaults(run=list_entries)

    shown = action("show", "Say all about one reference.")
    shown.add_argument("name", metavar="NAME", help="as vrpsam library list says")
    shown.add_argument(
        "--out", type=Path, metavar="FILE.png", help="write its thumbnail to this file"
    )
    shown.add_argument(
        "--overwrite", action="store_true", help="replace that file if it exists already"
    )
    shown.set_defaults(run=show_entry)

    adding = action("add", "Add references; the library is made if it is missing.")
    add_reference_options(adding)
    adding.add_argument(
        "--recipe", type=Path, metavar="FILE", help="add the references of an earlier run"
    )
    adding.add_argument("--name", help="of the reference, if it is one (default: its label)")
    adding.add_argument("--notes", default="", metavar="TEXT", help="to remember about them")
    adding.set_defaults(run=add_entries, usage_error=adding.error)

    removing = action("remove", "Remove references.")
    removing.add_argument("names", nargs="+", metavar="NAME", help="as vrpsam library list says")
    removing.set_defaults(run=remove_entries)

    renaming = action("rename", "Give a reference another name.")
    renaming.add_argument("name", metavar="NAME", help="as vrpsam library list says")
    renaming.add_argument("new_name", metavar="NEW_NAME", help="one that no other has")
    renaming.set_defaults(run=rename_entry)
    return parser


def list_entries(options: argparse.Namespace) -> int:
    """Print one line for each reference."""
    from vrpsam_app.library.reference_library import ReferenceLibrary

    library = ReferenceLibrary.load(options.file)
    for entry in library.entries:
        print(f"{entry.name}: {in_words(entry)}")
    print(f"{options.file} holds {len(library)} reference{'' if len(library) == 1 else 's'}")
    return 0


def show_entry(options: argparse.Namespace) -> int:
    """Print all about a reference, and write its thumbnail."""
    from vrpsam_app.image_files import write_whole
    from vrpsam_app.library.reference_library import ReferenceLibrary

    entry = ReferenceLibrary.load(options.file).entry(options.name)
    reference = entry.reference
    shape = " x ".join(map(str, reference.image.shape))
    print(f"{entry.name}: {in_words(entry)}")
    print(f"image: {shape}, {reference.image.dtype}")
    print(
        f"marks: {int(reference.positive.sum())} pixels of the object, "
        f"{int(reference.negative.sum())} of what it is not"
    )
    if entry.notes:
        print(f"notes: {entry.notes}")
    if options.out is not None:
        write_whole(options.out, entry.thumbnail, overwrite=options.overwrite)
        print(f"thumbnail: {options.out}")
    return 0


def add_entries(options: argparse.Namespace) -> int:
    """Add references to a library."""
    from vrpsam_app.library.reference_library import ReferenceLibrary
    from vrpsam_app.output_paths import prepare_folder
    from vrpsam_app.recipe import Recipe
    from vrpsam_app.stack_runs.targets import StackReading

    if not options.references and not options.recipe:
        options.usage_error("give --reference with its marks, --library, or --recipe")
    library = ReferenceLibrary.load(options.file) if options.file.exists() else ReferenceLibrary()
    references = list(build_references(options.references or (), StackReading()))
    if options.recipe:
        references += Recipe.load(options.recipe).references
    if options.name and len(references) != 1:
        options.usage_error(f"--name is for one reference, and these are {len(references)}")
    added = []
    for reference in references:
        added.append(options.name or library.free_name(reference))
        library = library.add(added[-1], reference, options.notes)
    prepare_folder(options.file.parent)
    library.save(options.file, overwrite=True)
    for name in added:
        print(f"{name}: added")
    return 0


def remove_entries(options: argparse.Namespace) -> int:
    """Remove references, all of those named or none."""
    from vrpsam_app.library.reference_library import ReferenceLibrary

    library = ReferenceLibrary.load(options.file)
    for name in options.names:
        library = library.remove(name)
    library.save(options.file, overwrite=True)
    print(f"{len(options.names)} removed, {len(library)} left")
    return 0


def rename_entry(options: argparse.Namespace) -> int:
    """Give a reference another name."""
    from vrpsam_app.library.reference_library import ReferenceLibrary

    library = ReferenceLibrary.load(options.file).change(options.name, new_name=options.new_name)
    library.save(options.file, overwrite=True)
    print(f"{options.name} is {options.new_name} now")
    return 0


def in_words(entry: LibraryEntry) -> str:
    """Say in a few words what a reference shows and how it is marked."""
    label = f"not {entry.label}" if entry.not_this else entry.label
    everything = ", everything of this kind" if entry.exhaustive else ""
    return f"{label}, marked by {entry.kind}{everything}"
