"""``vrpsam weights``: which weights there are; fetch, convert, publish and remove them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from vrpsam_app.cli import weights_convert, weights_publish
from vrpsam_app.cli.download_bar import DownloadBar
from vrpsam_app.errors import WeightsError
from vrpsam_app.weights_errors import weights_errors

if TYPE_CHECKING:
    from hub_weights import KnownWeights, WeightsEntry, WeightsFile

TITLES = {"model": "Models", "sam": "SAMs", "backbone": "Backbones"}
NOT_CONFIRMED = "not confirmed: compared with what the Hub says"
MAIN_BRANCH = "not confirmed: the main branch is taken"


def add_parser(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> argparse.ArgumentParser:
    """Add the command and its verbs."""
    parser = commands.add_parser(
        "weights",
        help="list, download, convert, publish and remove weights",
        description="Weights of models, SAMs and backbones: what is on this computer, what can be "
        "downloaded, and how it is turned into what other programs read.",
    )
    parser.set_defaults(run=run_list)  # without a verb
    verbs = parser.add_subparsers(title="verbs", metavar="VERB")

    listed = verbs.add_parser("list", help="what is here, in the cache, and to be had, with sizes")
    listed.set_defaults(run=run_list)

    shown = verbs.add_parser("show", help="source, revision, checksum, licence of one")
    shown.add_argument("name", metavar="NAME", help="of the list, or organisation/name on the Hub")
    shown.set_defaults(run=run_show)

    fetched = verbs.add_parser("download", help="fetch and compare, to work offline later")
    fetched.add_argument(
        "name", metavar="NAME", help="of the list, or organisation/name[@revision][:file]"
    )
    fetched.add_argument("--dry-run", action="store_true", help="say what would be downloaded")
    fetched.set_defaults(run=run_download)

    removed = verbs.add_parser("remove", help="remove what was downloaded, or a model made here")
    removed.add_argument("name", metavar="NAME", help="as vrpsam weights list says")
    removed.add_argument("--yes", action="store_true", help="also a model made on this computer")
    removed.set_defaults(run=run_remove)

    weights_convert.add_verbs(verbs)
    weights_publish.add_verb(verbs)
    return parser


def run_list(options: argparse.Namespace) -> int:
    """Print one line for each set of weights, and where they are kept."""
    import hub_weights

    found = hub_weights.list_weights()
    for kind, title in TITLES.items():
        print(title)
        for weights in (w for w in found if w.kind == kind):
            print(f"  {_line(weights)}")
    print(
        f"\nDownloaded: {hub_weights.cache_folder()}\nMade here:  {hub_weights.models_folder()}\n"
        f"Brought:    {hub_weights.foundation_folder()}"
    )
    return 0


def run_show(options: argparse.Namespace) -> int:
    """Print all that is known of one set of weights."""
    import hub_weights

    name: str = options.name
    known = {w.name: w for w in hub_weights.list_weights()}
    if name not in known:
        with weights_errors():
            _show_remote(name)
        return 0
    weights = known[name]
    print(_line(weights))
    print(f"licence:  {weights.license}")
    if weights.path is not None:
        print(f"path:     {weights.path}")
    if entry := hub_weights.REGISTRY.get(name):
        print(f"citation: {entry.citation}")
        for file in entry.files:
            _show_file(file)
    return 0


def run_download(options: argparse.Namespace) -> int:
    """Fetch, compare, and say where it is; or only what it would be."""
    import hub_weights

    name: str = options.name
    entry = hub_weights.REGISTRY.get(name)
    with weights_errors(), DownloadBar() as bar:
        if options.dry_run:
            _show_plan(name, entry)
            return 0
        if (entry is not None and entry.kind != "model") or ":" in name:
            path, sha256 = hub_weights.find_weights(name, progress=bar)
        else:
            try:
                folder = hub_weights.find_model(name, progress=bar)
                path, sha256 = folder.path, folder.sha256
            except hub_weights.OtherModelError:
                path, sha256 = hub_weights.find_weights(name, progress=bar)
    print(f"{name}: {path}, SHA-256 {sha256}")
    return 0


def run_remove(options: argparse.Namespace) -> int:
    """Remove, and say how much room that made."""
    import hub_weights

    if options.name in hub_weights.own_models() and not options.yes:
        raise WeightsError(
            f"{options.name} was made on this computer and cannot be downloaded again: add --yes "
            "to remove it."
        )
    with weights_errors():
        freed = hub_weights.remove_weights(options.name)
    print(f"{options.name}: removed, {hub_weights.in_bytes(freed)} freed")
    return 0


def _line(weights: KnownWeights) -> str:
    from hub_weights import in_bytes

    size = "" if weights.size is None else in_bytes(weights.size)
    return f"{weights.name:<14} {size:>8}  {weights.state:<14} {weights.purpose}"


def _show_file(file: WeightsFile) -> None:
    """Print one file of the registry."""
    print(f"\n{file.file}, in the layout of {file.layout}")
    print(f"  from:     {file.repo_id or 'wherever you have it'}")
    if file.repo_id is not None:
        print(f"  revision: {file.revision or MAIN_BRANCH}")
    unknown = "not known" if file.repo_id is None else NOT_CONFIRMED
    print(f"  SHA-256:  {file.sha256 or unknown}")
    print(f"  bytes:    {unknown if file.size is None else f'{file.size:,}'}")


def _show_remote(name: str) -> None:
    """Ask the Hub about a model's repository and print the answer."""
    import hub_weights

    repo = hub_weights.RepoName.parse(name)
    if repo is None:
        raise hub_weights.WeightsNotFoundError(
            f"There is nothing called {name!r}: expected a name that `vrpsam weights list` shows, "
            "or organisation/name on the Hub."
        )
    remote, licence = hub_weights.ask_about_model(repo)
    size = "of unknown size" if remote.size is None else hub_weights.in_bytes(remote.size)
    print(f"{repo}: {size}, on the Hub")
    print(f"licence:  {licence}")
    print(f"revision: {remote.commit}")
    print(f"SHA-256:  {remote.sha256 or 'the Hub does not say'}")


def _show_plan(name: str, entry: WeightsEntry | None) -> None:
    """Print what a download would be; the Hub is asked only about names that are not listed."""
    import hub_weights

    if entry is None:
        _show_remote(name)
        return
    source = hub_weights.source_of(name)
    about = f"about {entry.megabytes} MB"
    size = about if source.size is None else hub_weights.in_bytes(source.size)
    print(f"{name}: {size} from {source.repo_id}/{source.file}")
    print(f"licence:  {entry.license}")
    print(f"revision: {source.revision or MAIN_BRANCH}")
    print(f"SHA-256:  {source.sha256 or NOT_CONFIRMED}")
    print(f"goes to:  {hub_weights.cache_folder()}")
