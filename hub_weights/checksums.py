"""SHA-256 sums, kept in a ``SHA256SUMS`` file beside the files they belong to."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hub_weights.errors import ChecksumMismatchError, WeightsNotFoundError

SUMS_NAME = "SHA256SUMS"


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_sums(folder: Path, names: tuple[str, ...]) -> Path:
    """Record the sums of the named files of `folder`, in the format of ``sha256sum``."""
    path = folder / SUMS_NAME
    partial = path.with_suffix(".part")
    partial.write_text("".join(f"{sha256_of(folder / n)}  {n}\n" for n in names), "ascii")
    partial.replace(path)
    return path


def read_sums(folder: Path) -> dict[str, str]:
    """Return file name -> recorded sum; empty when nothing was recorded.

    Raises
    ------
    ChecksumMismatchError
        If a line is not a sum followed by a file name.
    """
    path = folder / SUMS_NAME
    if not path.exists():
        return {}
    sums = {}
    for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1):
        digest, _, name = line.partition("  ")
        if len(digest) != 64 or not name or "/" in name or "\\" in name:
            raise ChecksumMismatchError(
                f"{path}, line {number} is {line!r}: expected a SHA-256 sum, two spaces and a "
                "file name. Fetch the folder again."
            )
        sums[name] = digest
    return sums


def verify(
    folder: Path,
    name: str,
    *,
    otherwise: str = "the file is damaged or was changed. Fetch the folder again, or reinstall the "
    "product.",
) -> str:
    """Check one file against its recorded sum and return the sum of its bytes.

    Parameters
    ----------
    otherwise : what an error says of a file with another sum

    Raises
    ------
    WeightsNotFoundError
        If the file does not exist.
    ChecksumMismatchError
        If the recorded sum is another one.
    """
    path = folder / name
    if not path.is_file():
        raise WeightsNotFoundError(
            f"{path} does not exist: a model folder holds config.json and model.safetensors."
        )
    found, recorded = sha256_of(path), read_sums(folder).get(name)
    if recorded is not None and recorded != found:
        raise ChecksumMismatchError(
            f"{path} has SHA-256 {found[:12]}..., recorded is {recorded[:12]}...: {otherwise}"
        )
    return found
