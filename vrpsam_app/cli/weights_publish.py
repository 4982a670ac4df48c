"""``vrpsam weights publish``: a model with its card to the Hub, after a look at what is sent."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_verb(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "publish",
        help="send a model to the Hub, with a card that says what was measured",
        description="Needs the summary.json of `vrpsam evaluate` on these very weights, and in "
        "config.json a licence and what the model learned from. Log in with `hf auth login` or "
        "set HF_TOKEN.",
    )
    parser.add_argument("folder", metavar="FOLDER", help="of the model, or its name")
    parser.add_argument("repo_id", metavar="organisation/name", help="of the repository")
    parser.add_argument(
        "--license",
        "--licence",
        metavar="SPDX",
        help="of the model, such as apache-2.0: written into its config.json, also on a dry run",
    )
    parser.add_argument(
        "--trained-on",
        metavar="TEXT",
        help="what the model learned from, where config.json does not say it: written there too",
    )
    parser.add_argument(
        "--evaluation",
        type=Path,
        metavar="PATH",
        help="summary.json, or the folder with it (default: the model's)",
    )
    parser.add_argument(
        "--picture",
        dest="pictures",
        action="extend",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="shown in the card",
    )
    parser.add_argument(
        "--about", type=Path, metavar="FILE", help="text in Markdown that the card begins with"
    )
    parser.add_argument("--private", action="store_true", help="make the repository private")
    parser.add_argument("--dry-run", action="store_true", help="show card and files, send nothing")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Plan, show, and send unless it is a dry run."""
    import hub_weights
    from vrpsam_app.weights_errors import weights_errors

    made_here = options.folder in hub_weights.own_models()
    folder = hub_weights.models_folder() / options.folder if made_here else Path(options.folder)
    with weights_errors():
        if options.license is not None or options.trained_on is not None:
            hub_weights.note_facts(folder, license=options.license, trained_on=options.trained_on)
        plan = hub_weights.plan_publication(
            folder,
            options.repo_id,
            evaluation=options.evaluation,
            pictures=options.pictures,
            about=options.about,
        )
        for name, size in plan.sizes.items():
            print(f"{name:<28} {hub_weights.in_bytes(size):>8}")
        if options.dry_run:
            print(f"\n{plan.card}\nNothing was sent to {options.repo_id}.")
            return 0
        address = hub_weights.publish_model(plan, private=options.private)
    print(f"Published: {address}")
    return 0
