"""One frame after the other: the segmenter's answers, the objects in them, what is remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vrpsam_app.errors import ConfigError
from vrpsam_app.images import IntensityRange, has_finite, plane_key
from vrpsam_app.references import Reference, labels_of
from vrpsam_app.segmenter import Prediction, Segmenter, class_labels
from vrpsam_app.stacks.stack import PixelSize
from vrpsam_app.tiles.object_scale import pixel_ratio, reference_windows
from vrpsam_app.tiles.plan import TileOptions, plan_tiles
from vrpsam_app.tiles.rows import Verdict
from vrpsam_app.tiles.tiling import predict_tiled
from vrpsam_app.video.film_scale import at_film_scale
from vrpsam_app.video.following import Following
from vrpsam_app.video.memory import LabelMemory
from vrpsam_app.video.options import MemoryOptions
from vrpsam_app.video.tracks import Grid

ALIKE = 0.5
"""Share of one label's marks that another label's answer covers if the two look alike."""


@dataclass(frozen=True, eq=False)
class FrameAnswer:
    """What was found in a frame.

    Attributes
    ----------
    number : of the frame, from 0
    labels : shape (H, W), int32
        0 where nothing is, else 1 + the index in `names`.
    names : of the labels
    verdicts : of each label; its pixels are those in `labels`
    remembered : labels for which the frame became a reference
    """

    number: int
    labels: NDArray[np.int32]
    names: tuple[str, ...]
    verdicts: Mapping[str, Verdict]
    remembered: tuple[str, ...] = ()

    def mask(self, name: str) -> NDArray[np.bool_]:
        """Return where a label is.

        Raises
        ------
        ConfigError
            If there is no such label.
        """
        if name not in self.names:
            raise ConfigError(f"No label {name!r}: expected one of {', '.join(self.names)}.")
        mask: NDArray[np.bool_] = self.labels == 1 + self.names.index(name)
        return mask


class FilmSegmenter:
    """Takes the frames of a film in order; what it holds does not grow with the film.

    Parameters
    ----------
    segmenter : anything that predicts
    references : of one label or several
        Marks on the first frame that is shown say where each object is.
    hw : rows and columns of the frames
    options : MemoryOptions
    tiling : how large frames are shown; settled once for all of them
    pixel_size : physical size of the frames' pixels
    intensity_range : of the film and the references, None for 8 bits
    threshold : on the probability

    Attributes
    ----------
    names : labels, in order
    step_count : frames taken so far
    memories : LabelMemory by label
    groups : labels that look alike stand together; known after the first frame
    following : of each group; empty if every label is a kind
    """

    def __init__(
        self,
        segmenter: Segmenter,
        references: Sequence[Reference],
        hw: tuple[int, int],
        options: MemoryOptions,
        *,
        tiling: TileOptions | None = None,
        pixel_size: PixelSize | None = None,
        intensity_range: IntensityRange | None = None,
        threshold: float = 0.5,
    ) -> None:
        self.names = labels_of(references)
        self.options = options
        self._segmenter = segmenter
        self._hw = hw
        self._range = intensity_range
        self._threshold = threshold
        tiling = tiling or TileOptions()
        plan = plan_tiles(
            segmenter, hw, references, tiling,
            pixel_size=pixel_size, intensity_range=intensity_range,
        )  # fmt: skip
        self._tiling = (
            TileOptions("whole")
            if plan.grid is None
            else TileOptions("tiles", tile=plan.grid.tile_hw[0], object_pixels=plan.object_pixels)
        )
        # From here on all pixels are of the film's size, as those of frames that are remembered.
        if (ratio := pixel_ratio(tiling.reference_pixel_size, pixel_size)) != 1:
            references = at_film_scale(plan, ratio)
        self._grid = Grid.of(hw)
        self.step_count = 0
        self.memories = {
            name: LabelMemory(name, tuple(r for r in references if r.label == name), options)
            for name in self.names
        }
        self.groups: tuple[tuple[str, ...], ...] = ()
        self.following: list[Following] = []

    def step(self, frame: NDArray[np.generic]) -> FrameAnswer:
        """Take the next frame.

        Parameters
        ----------
        frame : shape (H, W), (H, W, 3) or (H, W, 4)
            One without any finite value is taken for a black one.

        Raises
        ------
        ImageError, AnnotationError, EmptyReferenceError
            As for ``segmenter.predict``.
        """
        if not has_finite(frame):
            frame = np.zeros(self._hw, np.uint8)
        first = not self.step_count
        if first:
            self._find_alike()
        answers = {name: self._ask_for(name, frame) for name in self.names}
        if self.options.follow == "kind":
            found = {name: answer.mask for name, answer in answers.items()}
        else:
            found = self._follow(frame, answers, first)
        labels = class_labels(
            [(found[name], _sure(answers[name], found[name])) for name in self.names]
        )
        masks = {name: labels == i for i, name in enumerate(self.names, start=1)}
        remembered = () if first else tuple(self._remember(frame, answers, masks))
        verdicts = {
            name: Verdict(
                float(answers[name].presence),
                bool(masks[name].any()),
                float(answers[name].score),
                int(masks[name].sum()),
            )
            for name in self.names
        }
        answer = FrameAnswer(self.step_count, labels, self.names, verdicts, remembered)
        self.step_count += 1
        return answer

    def _ask(self, picture: NDArray[np.generic], references: Sequence[Reference]) -> Prediction:
        in_tiles = self._tiling.tiling == "tiles"
        if in_tiles and picture.shape[:2] == self._hw:
            return predict_tiled(
                self._segmenter,
                picture,
                references,
                tiling=self._tiling,
                intensity_range=self._range,
                threshold=self._threshold,
            )
        if in_tiles:  # the picture of a reference: of large frames as much is shown beside it
            side = max(picture.shape[:2])
            references = [w for r in references for w in reference_windows(r, side, 1)]
        return self._segmenter.predict(
            picture, references, intensity_range=self._range, threshold=self._threshold
        )

    def _ask_for(self, name: str, frame: NDArray[np.generic]) -> Prediction:
        """Ask for one label; marks of labels that look otherwise say "not this"."""
        alike = next((group for group in self.groups if name in group), (name,))
        rivals = [
            replace(r.as_not_this(), label=name)
            for other in self.names
            if other not in alike
            for r in self.memories[other].first
            if not r.is_not_this
        ]
        return self._ask(frame, [*self.memories[name].references, *rivals])

    def _find_alike(self) -> None:
        """Group labels of which one's references also find the other; kinds are all different."""
        if self.options.follow == "kind" or len(self.names) == 1:
            self.groups = tuple((name,) for name in self.names)
        else:
            homes = {
                name: next(r for r in self.memories[name].first if not r.is_not_this)
                for name in self.names
            }
            group_of = {name: {name} for name in self.names}
            for asked in self.names:
                for other in self.names:
                    if other in group_of[asked]:
                        continue
                    home = homes[other]
                    answer = self._ask(home.image, self.memories[asked].first)
                    if answer.mask[home.positive].mean() > ALIKE:
                        together = group_of[asked] | group_of[other]
                        for member in together:
                            group_of[member] = together
            self.groups = tuple(
                dict.fromkeys(
                    tuple(n for n in self.names if n in group_of[name]) for name in self.names
                )
            )
        if self.options.follow == "object":
            self.following = [Following() for _ in self.groups]

    def _follow(
        self, frame: NDArray[np.generic], answers: Mapping[str, Prediction], first: bool
    ) -> dict[str, NDArray[np.bool_]]:
        """Find the objects among what looks like them."""
        found: dict[str, NDArray[np.bool_]] = {}
        for group, following in zip(self.groups, self.following, strict=True):
            alike = np.any([answers[name].mask for name in group], axis=0)
            cells = self._grid.coarse(alike)
            seeds = self._seeds(frame, group, alike)
            placed = {name: self._grid.coarse(mask) for name, mask in seeds.items()}
            if first and seeds:
                following.begin(placed, cells)
                seen = placed
            else:
                sure = np.max([answers[name].probability for name in group], axis=0)
                seen = following.step(cells, self._grid.strongest(sure))
                for name, mask in placed.items():
                    following.place(name, mask)
            for name in group:
                if name not in seen:
                    seen[name] = following.adopt(name, cells)
            for name in group:
                given = seeds.get(name)
                found[name] = alike & self._grid.fine(seen[name]) if given is None else given
        return found

    def _seeds(
        self, frame: NDArray[np.generic], group: Sequence[str], alike: NDArray[np.bool_]
    ) -> dict[str, NDArray[np.bool_]]:
        """Return the objects that are marked on the frame itself."""
        key = plane_key(frame)
        marked = {
            name: [r for r in self.memories[name].first if r.image_key == key and r.positive.any()]
            for name in group
        }
        pieces, _ = ndimage.label(alike, np.ones((3, 3)))
        seeds: dict[str, NDArray[np.bool_]] = {}
        for name, references in marked.items():
            if not references:
                continue
            seed = np.zeros(alike.shape, np.bool_)
            for r in references:
                if r.kind == "mask":
                    seed |= r.positive
                elif r.kind == "box":
                    seed |= alike & r.positive
                else:
                    seed |= np.isin(pieces, np.unique(pieces[r.positive & alike])) & alike
            if not seed.any():
                seed = np.any([r.positive for r in references], axis=0)
            seeds[name] = seed
        return _parted(seeds, marked)

    def _remember(
        self,
        frame: NDArray[np.generic],
        answers: Mapping[str, Prediction],
        masks: Mapping[str, NDArray[np.bool_]],
    ) -> list[str]:
        """Offer the frame to the memories that wait for one."""
        kept = []
        for name, memory in self.memories.items():
            mask = masks[name]
            sure = answers[name].present and mask.any() and self._is_whole(name)
            if not (sure and memory.waits_for(self.step_count)):
                continue
            if memory.offer(self.step_count, frame, mask, self._ask):
                kept.append(name)
        return kept

    def _is_whole(self, name: str) -> bool:
        """Tell whether an object is seen alone and whole; a kind always is."""
        for following in self.following:
            track = following.labelled().get(name)
            if track is not None:
                cells = float(np.count_nonzero(track.mask))
                return name not in following.cut and track.is_whole(cells)
        return True


def _sure(answer: Prediction, mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the probability; a marked object wins its pixels though the answer misses them."""
    return np.where(mask, np.maximum(answer.probability, answer.threshold), answer.probability)


def _parted(
    seeds: dict[str, NDArray[np.bool_]], marked: Mapping[str, Sequence[Reference]]
) -> dict[str, NDArray[np.bool_]]:
    """Give what several labels claim to the one whose marks are nearest."""
    if len(seeds) < 2:
        return seeds
    claims = np.sum(list(seeds.values()), axis=0)
    if claims.max() < 2:
        return seeds
    away = np.stack(
        [
            ndimage.distance_transform_edt(~np.any([r.positive for r in marked[name]], axis=0))
            for name in seeds
        ]
    )
    away[~np.stack(list(seeds.values()))] = np.inf
    owner = away.argmin(0)
    return {name: mask & (owner == i) for i, (name, mask) in enumerate(seeds.items())}
