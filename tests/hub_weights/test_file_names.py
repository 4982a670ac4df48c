"""Names from elsewhere: what stays inside a folder, what is a repository."""

from __future__ import annotations

import pytest

from hub_weights import RepoName, UnsafeNameError, check_file_name


@pytest.mark.parametrize("name", ["model.safetensors", "a b.pth", ".hidden", "weights-1_2.bin"])
def test_plain_names_pass(name: str) -> None:
    assert check_file_name(name, where="a test") == name


def test_folders_are_a_matter_of_asking() -> None:
    assert check_file_name("checkpoints/sam.pth", where="a test", folders=True)
    with pytest.raises(UnsafeNameError, match=r"a test names the file 'checkpoints/sam\.pth'"):
        check_file_name("checkpoints/sam.pth", where="a test")


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "/", "/a", "../a", "a/..", "a/../b", "a//b", "a/", "./a", "a\\b", "C:a"),
        *("a\nb", None, 3, ["a"]),
    ],
)
def test_what_leads_elsewhere_is_refused(name: object) -> None:
    with pytest.raises(UnsafeNameError, match="a test"):
        check_file_name(name, where="a test", folders=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("somebody/nuclei", RepoName("somebody/nuclei")),
        ("some.body/nuclei-2@v1.2", RepoName("some.body/nuclei-2", "v1.2")),
        ("a/b@refs/pr/9", RepoName("a/b", "refs/pr/9")),
        ("nuclei", None),
        ("a/b/c", None),
        ("../b", None),
        ("a/..", None),
        ("a/b--c", None),
        ("a/b@", None),
        ("a/b@../c", None),
        ("/a/b", None),
        ("a b/c", None),
        ("a/" + 95 * "b", None),
    ],
)
def test_repositories(text: str, expected: RepoName | None) -> None:
    assert RepoName.parse(text) == expected
    if expected is not None:
        assert str(expected) == text
