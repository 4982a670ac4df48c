"""kill -9 at any moment: a process of its own is killed again and again, and goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

# One process loads everything and makes a child for each part of the run, which it then kills.
HARNESS = '''
import json, os, random, signal, sys, time
from pathlib import Path

import numpy as np

from vrpsam_app.annotations import Box
from vrpsam_app.environment import code_version
from vrpsam_app.objects.instances import ObjectOptions
from vrpsam_app.references import Reference
from vrpsam_app.segmenter import Prediction
from vrpsam_app.stacks.stack import Stack
from vrpsam_app.stack_runs.run import segment_stack

code_version()  # looked at once, for all children
folder, planes, kills = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
name = sys.argv[4]
objects = ObjectOptions.from_text(sys.argv[5]) if len(sys.argv) > 5 else None
values = np.zeros((planes, 24, 24), np.uint8)
values[:, 4:12, 4:12] = 200
values[:, 0, 0] = np.arange(planes)


class Slow:
    """Takes a few milliseconds, and writes down which plane it was asked about."""

    def describe(self):
        return {"method": "slow"}

    def predict(self, target, references, **settings):
        with open(folder / "asked.txt", "a") as file:
            file.write(f"{int(target[0, 0])}\\n")
        time.sleep(0.004)
        probability = (target / 255).astype(np.float32)
        mask = probability > 0.5
        return Prediction(mask, probability, 0.5, 1.0, True, probability, "object", {})


reference = Reference.from_annotations(values[0], [Box(4, 4, 12, 12)])


def run(out):
    segment_stack(Slow(), Stack.from_array(values), reference, out, tiling="whole", objects=objects,
                  resume=out.exists() or out.with_name(out.name + ".part").exists())


def stored(out):
    held = out if out.suffix == ".zarr" else out.with_name(out.name + ".part")
    if not held.exists():
        return set(range(planes)) if out.exists() else set()
    return {z for z in range(planes) if (held / "c" / str(z) / "0" / "0").is_file()}


def child(out):
    number = os.fork()
    if number == 0:
        try:
            run(out)
        except BaseException:
            import traceback
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return number


smooth, rough = folder / "smooth" / name, folder / "rough" / name
for out in (smooth, rough):
    out.parent.mkdir()
started = time.monotonic()
_, status = os.waitpid(child(smooth), 0)
assert status == 0
whole = time.monotonic() - started

moments = random.Random(7)
twice, killed, counts = [], 0, []
(folder / "asked.txt").write_text("")
for _ in range(500):
    before = stored(rough)
    (folder / "asked.txt").write_text("")
    number = child(rough)
    if killed < kills:
        time.sleep(moments.uniform(0.02, 1.6 * whole / kills))
        os.kill(number, signal.SIGKILL)
    _, status = os.waitpid(number, 0)
    killed += os.WIFSIGNALED(status)
    asked = [int(line) for line in (folder / "asked.txt").read_text().split()]
    twice += sorted(before & set(asked))
    counts.append(len(asked))
    if status == 0:
        break


def contents(root):
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


a, b = contents(smooth.parent), contents(rough.parent)
print(json.dumps({
    "killed": killed, "status": status, "stored_and_asked_again": twice, "counts": counts,
    "differing": sorted(k for k in a.keys() | b.keys() if a.get(k) != b.get(k)),
}))
'''


def killed_and_resumed(
    tmp_path: Path, planes: int, kills: int, name: str, *objects: str
) -> dict[str, object]:
    """Run the harness and return what it saw."""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", HARNESS, str(tmp_path), str(planes), str(kills), name, *objects],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_ten_kills_of_sixty_slices_lose_nothing(tmp_path: Path):
    seen = killed_and_resumed(tmp_path, 60, 10, "r.zarr")
    assert seen["status"] == 0
    assert seen["killed"] == 10
    assert seen["stored_and_asked_again"] == []
    assert seen["differing"] == []
    # Each kill costs the plane that was under way, and those that waited to be written.
    assert sum(seen["counts"]) <= 60 + 10 * 4


@pytest.mark.slow
def test_kills_on_the_way_to_a_tiff(tmp_path: Path):
    seen = killed_and_resumed(tmp_path, 30, 5, "r.tif")
    assert (seen["status"], seen["stored_and_asked_again"], seen["differing"]) == (0, [], [])
    assert seen["killed"] >= 3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["r.zarr", "r.tif"])
def test_kills_while_objects_are_cut_and_written(tmp_path: Path, name: str):
    filters = "components,max-area=100,min-score=0.1"
    seen = killed_and_resumed(tmp_path, 30, 6, name, filters)
    assert (seen["status"], seen["stored_and_asked_again"], seen["differing"]) == (0, [], [])
    assert seen["killed"] >= 3
    rough = {path.name for path in (tmp_path / "rough").iterdir()}
    assert {"r_objects.tif", "r_objects.csv", "r_object_planes.csv"} <= rough
