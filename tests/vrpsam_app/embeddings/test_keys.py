"""The name of an embedding changes with all that changes the embedding."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from vrpsam_app.config import EMBEDDED_CONFIG, FoundationFile
from vrpsam_app.embeddings import keys as embedding_keys
from vrpsam_app.embeddings.keys import model_origin

CPU = torch.device("cpu")


def test_equal_for_equal_models():
    again = type(EMBEDDED_CONFIG).from_json(EMBEDDED_CONFIG.to_json())
    assert model_origin(again, CPU, "ab") == model_origin(EMBEDDED_CONFIG, CPU, "ab")


@pytest.mark.parametrize(
    "change",
    [
        {"resize": "squash"},
        {"foundation": {"sam": FoundationFile(file="sam.pth", sha256="cd" * 32)}},
    ],
    ids=str,
)
def test_another_configuration_is_another_model(change: dict[str, object]):
    changed = dataclasses.replace(EMBEDDED_CONFIG, **change)
    assert model_origin(changed, CPU, "ab") != model_origin(EMBEDDED_CONFIG, CPU, "ab")


def test_weights_device_and_code_count(monkeypatch: pytest.MonkeyPatch):
    known = {
        model_origin(EMBEDDED_CONFIG, CPU, "ab"),
        model_origin(EMBEDDED_CONFIG, CPU, "cd"),
        model_origin(EMBEDDED_CONFIG, torch.device("meta"), "ab"),
    }
    monkeypatch.setattr(embedding_keys, "code_version", lambda parts: "0.1.0+other")
    known.add(model_origin(EMBEDDED_CONFIG, CPU, "ab"))
    monkeypatch.setattr(embedding_keys, "machine_name", lambda: "abacus")
    known.add(model_origin(EMBEDDED_CONFIG, CPU, "ab"))
    assert len(known) == 5
