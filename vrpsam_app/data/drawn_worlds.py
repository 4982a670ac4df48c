"""Worlds of ink on paper: invented letters, and lines drawn around nothing."""

from __future__ import annotations

import numpy as np

from vrpsam_app.data.everyday_worlds import GROUNDS
from vrpsam_app.data.scene_canvas import Canvas, SceneClass, SceneWorld, View, scatter
from vrpsam_app.data.scene_shapes import Vertices, curve_patch, random_family, wandering_curve
from vrpsam_app.data.scene_textures import distinct_colour, random_texture


def glyphs(rng: np.random.Generator) -> SceneWorld:
    """Show invented letters in one ink on paper: only the strokes tell the classes apart."""
    paper = random_texture(rng, contrast=rng.uniform(0.0, 0.08), patterns=("clouds", "grain"))
    ink = distinct_colour(rng, [0.5 * (paper.dark + paper.light)], 0.5)
    alphabet: list[list[Vertices]] = []
    for _ in range(int(rng.integers(2, 5))):
        strokes = []
        for _ in range(int(rng.integers(2, 5))):
            start = rng.choice([-0.9, 0.0, 0.9], 2) + rng.normal(0.0, 0.1, 2)
            heading = float(rng.integers(8)) * np.pi / 4
            if rng.random() < 0.5:
                stroke = np.stack([start, -start + rng.normal(0.0, 0.5, 2)])
            else:
                turn = heading + np.linspace(0.0, rng.uniform(2.0, 6.0), 12)
                stroke = 0.5 * start + 0.55 * np.stack([np.cos(turn), np.sin(turn)], 1)
            strokes.append(stroke)
        alphabet.append(strokes)
    pitch, weight = float(rng.uniform(0.08, 0.2)), float(rng.uniform(0.12, 0.3))
    in_rows = bool(rng.random() < 0.7)

    def draw(canvas: Canvas, rng: np.random.Generator, view: View) -> None:
        canvas.ground(rng, paper)
        size, step = view.size, max(9.0, pitch * view.size * view.scale)
        if in_rows:
            axis = np.arange(0.5 * step, size, step)
            places = np.stack(np.meshgrid(axis, axis[:: 1 if step > 20 else 2]), -1).reshape(-1, 2)
            places = places + rng.normal(0.0, 0.04 * step, places.shape)
        else:
            places, _ = scatter(rng, size, np.full(40, 0.5 * step), spacing=1.0)
        for place in places:
            class_id = int(rng.integers(1, len(alphabet) + 1))
            if class_id in view.absent or rng.random() < 0.1:
                continue
            tilt = rng.normal(0.0, 0.06 if in_rows else 0.6)
            turn = np.array([[np.cos(tilt), np.sin(tilt)], [-np.sin(tilt), np.cos(tilt)]])
            turn *= 0.38 * step * np.exp(rng.normal(0.0, 0.08))
            width = max(1.2, weight * step)
            curves = [(s @ turn + place, width, width) for s in alphabet[class_id - 1]]
            patch = curve_patch(curves, size)
            if patch is not None:
                canvas.blend(patch, ink, float(rng.uniform(0.8, 1.0)))
                canvas.mark(patch, class_id)

    names = tuple(SceneClass(f"glyph {i + 1}") for i in range(len(alphabet)))
    return SceneWorld(names, draw, 0.4)


def scribbled_lines(rng: np.random.Generator) -> SceneWorld:
    """Show drawn outlines of shapes: the class is the line itself, not what it encloses."""
    paper = random_texture(rng, contrast=rng.uniform(0.0, 0.1), patterns=GROUNDS)
    middle = 0.5 * (paper.dark + paper.light)
    inks = [distinct_colour(rng, [middle], 0.45)]
    inks.append(inks[0] if rng.random() < 0.5 else distinct_colour(rng, [middle, *inks], 0.3))
    families = [random_family(rng, hole_share=0.0) for _ in range(2)]
    width = float(rng.uniform(1.2, 5.0))
    straight = bool(rng.random() < 0.5)

    def draw(canvas: Canvas, rng: np.random.Generator, view: View) -> None:
        canvas.ground(rng, paper)
        size = view.size
        for class_id, (ink, family) in enumerate(zip(inks, families, strict=True), start=1):
            for _ in range(view.count(rng, 5.0, class_id)):
                centre = rng.uniform(0.0, size, 2)
                if class_id == 2 and straight:
                    outline = wandering_curve(
                        rng, centre, rng.uniform(0.0, 6.3), 0.5 * size, wiggle=0.05
                    )
                else:
                    radius = rng.uniform(0.06, 0.16) * size * view.scale
                    outline = family.outline(rng, radius) + centre
                    outline = np.concatenate([outline, outline[:2]])
                patch = curve_patch([(outline, width, width)], size)
                if patch is not None:
                    canvas.blend(patch, ink)
                    canvas.mark(patch, class_id)

    return SceneWorld((SceneClass("outline"), SceneClass("line")), draw, 0.4)
