from __future__ import annotations

import json
import re
import shutil
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from vrpsam_app import __version__
from vrpsam_app.image_files import read_image, read_mask

ROOT = Path(__file__).resolve().parents[3]
BOX = {"type": "box", "xyxy": [40, 50, 60, 70]}


@pytest.fixture(scope="module")
def client(served) -> Client:
    return Client(served, verbose=False, analytics_enabled=False)


def call(client: Client, pictures, marks, targets=("first",), **settings):
    return client.predict(
        reference=handle_file(str(pictures["reference"])),
        marks=marks,
        targets=[handle_file(str(pictures[name])) for name in targets],
        api_name="/segment",
        **settings,
    )


def raw_call(url: str, *data: object) -> str:
    """Call as no proper client does."""
    request = urllib.request.Request(
        f"{url}gradio_api/call/segment",
        json.dumps({"data": data}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        event = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{url}gradio_api/call/segment/{event}") as answer:
        return answer.read().decode()


def test_masks_come_in_the_order_and_size_of_the_targets(client, pictures):
    names = ("second", "without", "first")
    masks = call(client, pictures, [BOX], names)
    for name, path in zip(names, masks, strict=True):
        image = read_image(pictures[name])
        np.testing.assert_array_equal(read_mask(path), image[..., 0] > 180)


def test_settings_reach_the_model(client, pictures):
    (loose,) = call(client, pictures, [BOX], threshold=0.01)
    assert read_mask(loose).all()
    (exhaustive,) = call(client, pictures, [BOX], threshold=0.01, exhaustive=True)
    assert 0 < read_mask(exhaustive).mean() < 0.5


def test_negative_marks_count(client, pictures):
    grey = {"type": "scribble", "xy": [[5, 5], [190, 5]], "width": 6, "positive": False}
    (without,) = call(client, pictures, [BOX], threshold=0.3)
    (with_it,) = call(client, pictures, [BOX, grey], threshold=0.3)
    assert read_mask(without).mean() > 0.9
    assert 0 < read_mask(with_it).mean() < 0.2


@pytest.mark.parametrize(
    ("marks", "sentence"),
    [
        ([], "no marks"),
        ([{"type": "box", "xyxy": [9, 9, 3, 3]}], "upside down"),
        ([{"type": "point", "xy": [1e300, 2]}], "finite"),
        ([{"type": "point", "xy": [-50, -50]}], "outside the image"),
        ("nonsense", "list"),
        ([BOX] * 10_001, "at most 10000"),
    ],
    ids=["none", "upside down", "huge", "outside", "text", "too many"],
)
def test_bad_marks_are_a_sentence(client, pictures, marks, sentence):
    with pytest.raises(AppError, match=sentence):
        call(client, pictures, marks)


def test_bad_settings_and_files_are_a_sentence(client, pictures, tmp_path):
    with pytest.raises(AppError, match="threshold"):
        call(client, pictures, [BOX], threshold=1.5)
    with pytest.raises(AppError, match="expected 1 to 1000"):
        call(client, pictures, [BOX], ())
    pictures["notes"] = tmp_path / "notes.png"
    pictures["notes"].write_text("not a picture")
    with pytest.raises(AppError, match=r"notes\.png"):
        call(client, pictures, [BOX], ("first", "notes"))
    assert len(call(client, pictures, [BOX])) == 1


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../../etc/passwd", "/proc/self/environ", "\0", ""]
)
def test_files_that_were_not_uploaded_are_refused(served, path):
    for file in (path, {"path": path}, {"path": path, "meta": {"_type": "gradio.FileData"}}, None):
        answer = raw_call(served, file, [BOX], [file], False, 0.5)
        assert answer.startswith("event: error")
        assert "root:" not in answer


def test_an_unknown_method_is_a_sentence(client, pictures):
    with pytest.raises(AppError, match="cannot be used"):
        call(client, pictures, [BOX], method="no such")


def test_another_method_answers(client, pictures):
    (mask,) = call(client, pictures, [BOX], method="tuned_threshold")
    assert read_mask(mask).shape == (120, 200)


def test_info_says_what_there_is(client):
    info = client.predict(api_name="/info")
    assert info["version"] == __version__
    assert info["default"]["method"] == "nearest_colour"
    assert info["models"][0]["name"] == "embedded"
    assert info["models"][0]["licence"]
    assert "vrp_sam" in info["methods"]
    assert "everything" not in info["methods"]
    assert info["limits"]["pixels"] == 100_000_000
    assert str(ROOT) not in json.dumps(info)


def test_only_these_endpoints_are_public_and_typed(client):
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    assert list(endpoints) == ["/segment", "/info"]
    parameters = {p["parameter_name"]: p for p in endpoints["/segment"]["parameters"]}
    assert list(parameters) == [
        "reference",
        "marks",
        "targets",
        "exhaustive",
        "threshold",
        "model",
        "method",
    ]
    assert parameters["threshold"]["parameter_default"] == 0.5


def test_the_snippet_of_the_guide_runs(served, pictures, tmp_path, monkeypatch):
    """As it stands in docs/web.md, but for the address and the pictures."""
    text = (ROOT / "docs" / "web.md").read_text(encoding="utf-8")
    (snippet,) = re.findall(r"```python\n(from gradio_client.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    for name, path in (("cells.png", "reference"), ("a.png", "first"), ("b.png", "second")):
        shutil.copyfile(pictures[path], tmp_path / name)
    names: dict[str, object] = {}
    exec(snippet.replace("http://127.0.0.1:7860", served), names)
    for path, target in zip(names["masks"], ("first", "second"), strict=True):
        image = read_image(pictures[target])
        np.testing.assert_array_equal(read_mask(path), image[..., 0] > 180)
