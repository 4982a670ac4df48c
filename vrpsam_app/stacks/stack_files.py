"""Any image file or folder as a lazy stack, with its axes and its pixel size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vrpsam_app.errors import ImageFileError
from vrpsam_app.file_errors import reading
from vrpsam_app.image_files import MAX_PIXELS
from vrpsam_app.movie_files import is_movie
from vrpsam_app.pillow_pictures import picture_format
from vrpsam_app.readers.czi import CZI_SIGNATURE, open_czi
from vrpsam_app.readers.dicom import is_dicom, open_dicom
from vrpsam_app.readers.lif import is_lif, open_lif
from vrpsam_app.readers.movie import open_movie
from vrpsam_app.readers.nd2_file import is_nd2, open_nd2
from vrpsam_app.readers.nifti import is_nifti, open_nifti
from vrpsam_app.readers.numpy_file import NUMPY_SIGNATURE, open_numpy
from vrpsam_app.readers.picture import open_picture, open_picture_folder, pictures_in
from vrpsam_app.readers.tiff import is_tiff_stack, open_tiff_folder, open_tiff_image
from vrpsam_app.readers.zarr_arrays import is_zarr, open_zarr
from vrpsam_app.stacks.axes import FileImage, to_channels, to_stack
from vrpsam_app.stacks.stack import PixelSize, Stack
from vrpsam_app.tiff_files import TIFF_SIGNATURES

# As many bytes as the signatures reach: that of DICOM stands behind 128 bytes of anything.
_SIGNATURE_BYTES = 352


def open_stack(
    path: str | Path,
    *,
    channels: Sequence[int | str] | None = None,
    pixel_size: PixelSize | None = None,
    axes: Sequence[str] | None = None,
    scene: int | str | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Stack:
    """Open a file or folder as a stack; no pixel is read before a plane is asked for.

    Parameters
    ----------
    path : recognised by its content, whatever its name ends in
        =====================  ==============================================================
        pictures               PNG, JPEG, WebP, BMP, GIF (first frame): a plane each
        TIFF                   ImageJ hyperstacks, OME-TIFF in one or several files, pyramids
                               (full size), slides, plain pages, BigTIFF
        OME-Zarr, Zarr         version 0.1 to 0.5, Zarr 2 and 3, folder or zip
        NIfTI                  ``.nii``, ``.nii.gz``, ``.hdr`` with ``.img``; voxel (i, j, k) is
                               column, row, plane, as it is stored
        DICOM                  a folder with a series, sorted by position, or one file
        folder of pictures     of equal size, sorted so that 2 comes before 10; or of TIFF
                               stacks, each of them a time
        NumPy                  ``.npy``
        CZI, ND2, LIF          with ``pip install "vrpsam-app[formats]"``
        MP4, MOV, WebM, AVI    and other movies, frames along t, with
                               ``pip install "vrpsam-app[video]"``
        =====================  ==============================================================
    channels : which channels are shown, by number from 0 or by name
        One is shown as grey. Two as magenta and green (the first in red and blue, the second in
        green), three as red, green and blue in the order given; values stay as they are. None
        shows all if there are at most three, and asks for a choice of more.
    pixel_size : replaces what the file says
    axes : names of all axes of the file, such as ``"tzyx"``; replaces what the file says
    scene : which image, of files that hold several, by number from 0 or by name
    max_pixels : the largest part that is decoded at once: a picture, or a tile of a large plane

    Returns
    -------
    stack : Stack
        Leading axes in the order of the file, named t, z and so on; axes of length one are
        dropped, and so is the channel axis, which becomes grey or colours. Pages that nothing is
        known of are z, as in ImageJ; of two such axes the first is t. Numbers are kept in the
        type of the file, so label images of other programs can be read as they are. Without a
        known pixel size all lengths are in pixels, "px".

    Raises
    ------
    ImageFileError
        If the file or folder is missing, damaged, incomplete, too large, or none of these; if a
        folder holds pictures of several sizes or several series; if it holds several images and
        `scene` chooses none.
    ImageError
        If there are more than three channels and none is chosen, no such channel, or `axes` do
        not fit.
    MissingExtraError
        If it is a CZI, ND2 or LIF file or a movie, and its library is not installed.

    Examples
    --------
    >>> stack = open_stack("cells.ome.tif", channels=(0,))  # doctest: +SKIP
    >>> stack.axes, stack.leading_shape, stack.plane((2, 5)).shape  # doctest: +SKIP
    (('t', 'z'), (10, 20), (512, 512))
    """
    path = Path(path).expanduser()
    with reading(path):
        image = _opened(path, scene, max_pixels)
        return to_stack(image, channels=channels, pixel_size=pixel_size, axes=axes)


def open_channels(
    path: str | Path,
    *,
    channels: Sequence[int | str] | None = None,
    pixel_size: PixelSize | None = None,
    axes: Sequence[str] | None = None,
    scene: int | str | None = None,
    max_pixels: int = MAX_PIXELS,
) -> dict[str, Stack]:
    """Open each channel of a file or folder as a stack of its own, however many there are.

    Parameters
    ----------
    path, pixel_size, axes, scene, max_pixels : as for :func:`open_stack`
    channels : which, by number from 0 or by name; None takes all

    Returns
    -------
    channels : grey stacks of the same planes by name, ``channel0`` where the file says none
        One channel alone, and what is in colour, is one stack without a name.

    Raises
    ------
    ImageFileError, ImageError, MissingExtraError
        As for :func:`open_stack`.
    """
    path = Path(path).expanduser()
    with reading(path):
        image = _opened(path, scene, max_pixels)
        return to_channels(image, channels=channels, pixel_size=pixel_size, axes=axes)


def _opened(path: Path, scene: int | str | None, max_pixels: int) -> FileImage:
    """Find out what a path is, and open it."""
    if path.is_dir():
        if is_zarr(path):
            return open_zarr(path, scene=scene, max_pixels=max_pixels)
        return _opened_folder(path, scene, max_pixels)
    with path.open("rb") as file:
        start = file.read(_SIGNATURE_BYTES)
    if not start:
        raise ImageFileError(f"{path} is empty: expected an image. Copy or export it again.")
    if start.startswith(TIFF_SIGNATURES):
        return open_tiff_image(path, scene=scene, max_pixels=max_pixels)
    if picture_format(start) is not None:
        return open_picture(path, max_pixels=max_pixels)
    if start.startswith(NUMPY_SIGNATURE):
        return open_numpy(path)
    if is_dicom(start):
        return open_dicom([path], path, scene=scene, max_pixels=max_pixels)
    if is_nifti(start, path):
        return open_nifti(path)
    if start.startswith(CZI_SIGNATURE):
        return open_czi(path, scene=scene)
    if is_nd2(start, path):
        return open_nd2(path)
    if is_lif(start):
        return open_lif(path, scene=scene)
    if is_zarr(path) and start.startswith(b"PK"):
        return open_zarr(path, scene=scene, max_pixels=max_pixels)
    if is_movie(start):
        return open_movie(path, max_pixels=max_pixels)
    raise ImageFileError(
        f"{path} is no image, whatever its name says: expected PNG, JPEG, WebP, BMP, GIF, TIFF, "
        "Zarr, NIfTI, DICOM, NumPy, CZI, ND2, LIF or a movie. Export it as TIFF."
    )


def _opened_folder(path: Path, scene: int | str | None, max_pixels: int) -> FileImage:
    """Open a folder of pictures or of a DICOM series, whose files are not named like pictures."""
    pictures = pictures_in(path)
    others = [
        file
        for file in sorted(path.iterdir())
        if file.is_file() and not file.name.startswith(".") and file not in set(pictures)
    ]
    dicom = [file for file in others if _starts_like_dicom(file)]
    if pictures and dicom:
        raise ImageFileError(
            f"{path} holds {len(pictures)} pictures and {len(dicom)} DICOM files: expected one "
            "kind. Move those of one kind to a folder of their own."
        )
    if dicom:
        return open_dicom(dicom, path, scene=scene, max_pixels=max_pixels)
    if pictures and is_tiff_stack(pictures[0]):
        return open_tiff_folder(pictures, path, max_pixels=max_pixels)
    return open_picture_folder(path, max_pixels=max_pixels)


def _starts_like_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return is_dicom(file.read(_SIGNATURE_BYTES))
