"""Objects followed through films, with and without memory: J&F on drawn clips, or on DAVIS-2017.

Run ``python benchmarks/video.py --out results/video`` for drawn clips in which objects hide, meet a
look-alike, or leave and return (half an hour for one method on two cores); with ``--davis FOLDER``
for the films of DAVIS-2017. Every answer is kept as it is made, so that the same command goes on
where it was stopped. Writes films.jsonl, video.json and video.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")


def main(argv: list[str] | None = None) -> int:
    """Measure, print a table, and write it."""
    from vrpsam_app.data.clip_scenes import CLIP_KINDS
    from vrpsam_app.evaluation.video_evaluation import (
        WAYS,
        evaluate_films,
        film_table,
        gain_table,
    )
    from vrpsam_app.evaluation.video_films import davis_films, drawn_films
    from vrpsam_app.evaluation.video_scores import VideoScores
    from vrpsam_app.image_files import write_whole
    from vrpsam_app.methods import METHODS, MethodSources
    from vrpsam_app.output_paths import prepare_folder

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--method", nargs="+", default=["vrp_sam"], choices=METHODS)
    parser.add_argument("--model", default="embedded", help="name or folder of the model")
    parser.add_argument("--sam", type=Path, help="SAM's weights, for methods that need them")
    parser.add_argument("--features", type=Path, help="a backbone's weights, for matching")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--way", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--kinds", nargs="+", default=list(CLIP_KINDS), choices=CLIP_KINDS)
    parser.add_argument("--clips", type=int, default=4, help="of each kind (4)")
    parser.add_argument("--frames", type=int, default=32, help="of each clip (32)")
    parser.add_argument("--davis", type=Path, help="folder of DAVIS-2017, instead of clips")
    parser.add_argument("--split", default="val", choices=("train", "val"), help="of DAVIS")
    parser.add_argument("--films", type=int, help="no more films of DAVIS than these")
    parser.add_argument("--out", type=Path, default=Path("results/video"), help="folder")
    options = parser.parse_args(argv)
    typed = sys.argv[1:] if argv is None else argv

    sources = MethodSources.of(
        partial(_load, options.model, options.device),
        sam=options.sam,
        features=options.features,
        device=options.device,
    )
    films = (
        davis_films(options.davis, options.split)[: options.films]
        if options.davis
        else drawn_films(options.kinds, range(options.clips), frames=options.frames)
    )
    folder = prepare_folder(options.out)
    results = []
    for result in evaluate_films(
        [partial(METHODS[name], sources) for name in options.method],
        films,
        folder,
        ways=options.way,
    ):
        results.append(result)
        print(f"{result.film}, {result.method}, {result.way}: J&F {result.both:.3f}", flush=True)
    command = f"python benchmarks/video.py {shlex.join(typed)}".strip()
    tables = [film_table(results)]
    if len(options.way) > 1:
        tables.append(gain_table(results))
    written = "\n".join(table.to_markdown() for table in tables)
    together = {
        f"{method}, {way}": asdict(
            VideoScores.of(
                s for r in results if (r.method, r.way) == (method, way) for s in r.objects
            )
        )
        for method, way in dict.fromkeys((r.method, r.way) for r in results)
    }
    found = {"command": command, "together": together, "films": [r.to_json() for r in results]}
    write_whole(
        folder / "video.json", (json.dumps(found, indent=1) + "\n").encode(), overwrite=True
    )
    page = f"Made by:\n\n```bash\n{command}\n```\n\n{written}"
    write_whole(folder / "video.md", page.encode(), overwrite=True)
    print(written)
    return 0


def _load(model: str, device: str):
    from vrpsam_app import VRPSAMPredictor

    return VRPSAMPredictor.from_pretrained(model, device=device)


if __name__ == "__main__":
    raise SystemExit(main())
