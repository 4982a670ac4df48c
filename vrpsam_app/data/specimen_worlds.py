"""Worlds that fill the view with one specimen, as microscopes and eye cameras show them.

The other worlds show many small things that a reference has to tell apart. These show what whole
pictures of some fields look like: a single white cell among pale outlines, a piece of the back of
an eye, cells under phase contrast, a nerve cut across.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vrpsam_app.data.scene_canvas import (
    Canvas,
    Material,
    SceneClass,
    SceneWorld,
    View,
    inner_depth,
    scatter,
)
from vrpsam_app.data.scene_objects import draw_sheathed
from vrpsam_app.data.scene_shapes import (
    Patch,
    ShapeFamily,
    Vertices,
    branching_tree,
    curve_patch,
    polygon_patch,
)
from vrpsam_app.data.scene_textures import FloatArray, coordinates, random_texture, smooth_noise


def _near(rng: np.random.Generator, colour: tuple[float, float, float], sd: float) -> FloatArray:
    return np.clip(np.array(colour) + rng.normal(0.0, sd, 3), 0.02, 0.98).astype(np.float32)


def leukocyte(rng: np.random.Generator) -> SceneWorld:
    """Show one or two white cells large, stained: nucleus of any form, cytoplasm, pale discs."""
    grounds = ((0.95, 0.92, 0.6), (0.94, 0.92, 0.93), (0.93, 0.87, 0.84), (0.85, 0.84, 0.9))
    ground_colour = _near(rng, grounds[int(rng.integers(4))], 0.04)
    ground = random_texture(rng, colour=ground_colour, contrast=0.015, patterns=("clouds", "grain"))
    red_colour = np.clip(
        ground_colour * rng.uniform(0.75, 0.97) * _near(rng, (1, 0.9, 0.9), 0.05), 0, 1
    )
    red = Material(
        random_texture(rng, colour=red_colour.astype(np.float32), contrast=0.02),
        edge=float(rng.uniform(-0.3, -0.05)),
        opacity=float(rng.uniform(0.4, 1.0)),
    )
    plasmas = ((0.78, 0.7, 0.82), (0.62, 0.68, 0.88), (0.85, 0.72, 0.74), (0.72, 0.72, 0.76))
    plasma = [
        Material(
            random_texture(
                rng,
                colour=_near(rng, plasmas[int(rng.integers(4))], 0.05),
                contrast=rng.uniform(0.02, 0.14),
                patterns=("grain", "clouds", "spots"),
                period=(3.0, 10.0),
            ),
            edge=float(rng.uniform(-0.2, 0.1)),
        )
        for _ in range(2)
    ]
    core_colour = _near(rng, (0.38, 0.2, 0.5), 0.07)
    core = Material(
        random_texture(
            rng, colour=core_colour, contrast=rng.uniform(0.03, 0.12), patterns=("clouds", "grain")
        ),
        edge=float(rng.uniform(-0.2, 0.15)),
        vary=0.12,
    )
    radius = float(rng.uniform(0.16, 0.34))
    discs = float(rng.uniform(1.0, 9.0))
    turn = float(rng.uniform(0.0, 0.14))

    def draw(canvas: Canvas, rng: np.random.Generator, view: View) -> None:
        size = view.size
        canvas.ground(rng, ground)
        large = float(np.clip(radius * view.scale, 0.1, 0.42)) * size
        if 3 not in view.absent:
            for _ in range(view.count(rng, discs, 3)):
                family = ShapeFamily("blob", depth=0.08)
                place = rng.uniform(-0.05 * size, 1.05 * size, 2)
                canvas.shape(rng, family, place, 0.75 * large * rng.uniform(0.8, 1.1), red, 3)
        cells = 2 if rng.random() < 0.15 else 1
        for number in range(cells):
            middle = 0.5 * size + rng.normal(0.0, 0.09 * size, 2)
            if number:
                middle = rng.uniform(0.1 * size, 0.9 * size, 2)
            _white_cell(canvas, rng, view, middle, large, plasma[int(rng.integers(2))], core)
        # The same stain comes out differently on each slide.
        canvas.rgb *= np.exp(rng.normal(0.0, turn, 3)).astype(np.float32)

    classes = (SceneClass("nucleus"), SceneClass("cytoplasm"), SceneClass("red cell"))
    return SceneWorld(classes, draw, 0.04)


def _white_cell(
    canvas: Canvas,
    rng: np.random.Generator,
    view: View,
    middle: Vertices,
    radius: float,
    plasma: Material,
    core: Material,
) -> None:
    """Draw a cell whose nucleus is round, bent or lobed."""
    if 2 not in view.absent:
        body = ShapeFamily(
            "blob", depth=float(rng.uniform(0.02, 0.12)), aspect=rng.uniform(1.0, 1.3)
        )
        canvas.shape(rng, body, middle, radius, plasma, 2)
    if 1 in view.absent:
        return
    form = rng.random()
    if form < 0.4:
        family = ShapeFamily("blob", depth=0.15, aspect=float(rng.uniform(1.0, 1.4)))
        off = rng.normal(0.0, 0.06 * radius, 2)
        canvas.shape(rng, family, middle + off, radius * rng.uniform(0.5, 0.88), core, 1)
        return
    if form < 0.6:
        family = ShapeFamily("crescent", depth=float(rng.uniform(0.0, 0.3)), irregularity=0.08)
        canvas.shape(rng, family, middle, radius * rng.uniform(0.55, 0.75), core, 1)
        return
    lobes = int(rng.integers(2, 6))
    step = rng.uniform(0.9, 1.5)
    turn = rng.uniform(0.0, 2.0 * np.pi)
    whole: int | None = None
    for number in range(lobes):
        angle = turn + step * number
        spot = middle + 0.38 * radius * np.array([np.cos(angle), np.sin(angle)])
        family = ShapeFamily("blob", depth=0.2, aspect=float(rng.uniform(1.0, 1.5)))
        reach = radius * rng.uniform(0.24, 0.36) * (1.25 if lobes == 2 else 1.0)
        whole = canvas.shape(rng, family, spot, reach, core, 1, instance=whole) or whole


def fundus(rng: np.random.Generator) -> SceneWorld:
    """Show a piece of the back of an eye: fine branching vessels of little contrast."""
    tone = rng.random()
    base = (
        (0.82, 0.45, 0.26) if tone < 0.6 else (0.7, 0.36, 0.22) if tone < 0.8 else (0.5, 0.5, 0.5)
    )
    ground_colour = _near(rng, base, 0.07)
    ground = random_texture(
        rng,
        colour=ground_colour,
        contrast=rng.uniform(0.01, 0.05),
        patterns=("clouds", "grain", "marble"),
        period=(8.0, 40.0),
    )
    darker = np.array([rng.uniform(0.68, 0.93), rng.uniform(0.45, 0.78), rng.uniform(0.45, 0.8)])
    tree_colour = np.clip(ground_colour * darker, 0.0, 1.0).astype(np.float32)
    tree = random_texture(rng, colour=tree_colour, contrast=0.03, patterns=("clouds",))
    width = float(rng.uniform(2.2, 6.0))
    faint = float(rng.uniform(0.55, 1.0))
    reflex = float(rng.uniform(0.0, 0.35)) if rng.random() < 0.4 else 0.0
    wiggle = float(rng.uniform(0.08, 0.4))
    bright = np.clip(ground_colour * 1.25 + np.float32(0.12), 0.0, 1.0).astype(np.float32)
    disc = Material(random_texture(rng, colour=bright, contrast=0.04), edge=-0.3, opacity=0.9)

    def draw(canvas: Canvas, rng: np.random.Generator, view: View) -> None:
        size = view.size
        canvas.ground(rng, ground)
        row, col = coordinates(size)
        spot = rng.uniform(0.0, size, 2)
        away = np.hypot(row - spot[0], col - spot[1]) / (rng.uniform(0.15, 0.4) * size)
        canvas.rgb *= (1.0 - np.float32(rng.uniform(0.0, 0.3)) * np.exp(-(away**2)))[..., None]
        slope = 0.12 * smooth_noise(rng, size, 0.7 * size)
        canvas.rgb *= np.exp(slope)[..., None]
        if 2 not in view.absent and rng.random() < 0.5:
            place = rng.uniform(0.0, size, 2)
            reach = rng.uniform(0.09, 0.22) * size * view.scale
            canvas.shape(rng, ShapeFamily("ellipse"), place, reach, disc, 2)
        if 1 in view.absent:
            return
        curves = []
        for _ in range(int(rng.integers(4, 10))):
            # Arteries and veins come in from the sides and thin out toward the middle.
            side = rng.uniform(0.0, 2.0 * np.pi)
            start = 0.5 * size + 0.65 * size * np.array([np.cos(side), np.sin(side)])
            heading = side + np.pi + rng.normal(0.0, 0.5)
            thick = width * view.scale**0.5 * np.exp(rng.normal(-0.3, 0.4))
            reach = rng.uniform(0.25, 0.5) * size
            curves += branching_tree(rng, start, heading, reach, thick, wiggle=wiggle, levels=4)
        curves = [(p, max(a, 0.8), max(b, 0.8)) for p, a, b in curves]
        # Thin ones are fainter, as less blood colours them.
        for thin in (True, False):
            some = [c for c in curves if (c[1] < 1.8) == thin]
            patch = curve_patch(some, size) if some else None
            if patch is not None:
                opacity = faint * (0.7 if thin else 1.0)
                canvas.paint(rng, patch, Material(tree, opacity=opacity), 1, instance=0)
        wide = [(p, 0.3 * a, 0.3 * b) for p, a, b in curves if a > 3.0]
        middle = curve_patch(wide, size) if reflex and wide else None
        if middle is not None:
            canvas.blend(middle, np.minimum(1.0, 1.4 * ground_colour), reflex)

    classes = (SceneClass("vessel", instances=False), SceneClass("bright disc"))
    return SceneWorld(classes, draw, 0.25)


def phase_contrast(rng: np.random.Generator) -> SceneWorld:
    """Show spread, spiked and rounded cells by the halo that their thickness gets."""
    level = float(rng.uniform(0.38, 0.62))
    ground = random_texture(
        rng,
        colour=np.full(3, level, np.float32),
        contrast=rng.uniform(0.005, 0.04),
        patterns=("clouds", "grain"),
    )
    spikes, depth = int(rng.integers(0, 5)), float(rng.uniform(0.5, 1.6))
    stretch = float(rng.uniform(1.0, 3.0))
    radius, count = float(rng.uniform(0.035, 0.11)), float(rng.uniform(4, 30))
    amount = float(rng.uniform(0.2, 0.8)) * (-1.0 if rng.random() < 0.1 else 1.0)
    reach = float(rng.uniform(0.12, 0.4))
    grain, cell = float(rng.uniform(0.01, 0.09)), float(rng.uniform(1.5, 4.0))
    shining = float(rng.uniform(0.15, 0.45))
    rounded = float(rng.uniform(0.5, 4.0)) if rng.random() < 0.6 else 0.0
    nucleus = float(rng.uniform(0.1, 0.4)) if rng.random() < 0.6 else 0.0

    def draw(canvas: Canvas, rng: np.random.Generator, view: View) -> None:
        size = view.size
        canvas.ground(rng, ground)
        typical = radius * size * view.scale
        many = view.count(rng, count, 1)
        centres, _ = scatter(rng, size, np.full(many, typical), spacing=0.9)
        thickness = np.zeros((size, size), np.float32)
        for centre in centres:
            outline = _spread(rng, typical * np.exp(rng.normal(0.0, 0.25)), spikes, depth, stretch)
            _add(canvas, thickness, polygon_patch(outline + centre, size), 1, 0.4)
            if nucleus:
                spot = ShapeFamily("ellipse").outline(rng, 0.35 * typical)
                _add(canvas, thickness, polygon_patch(spot + centre, size), None, 0.3, nucleus)
        if rounded:
            for centre in rng.uniform(0.0, size, (view.count(rng, rounded, 2), 2)):
                outline = ShapeFamily("blob", depth=0.1).outline(rng, 0.6 * typical)
                _add(canvas, thickness, polygon_patch(outline + centre, size), 2, 0.8, 1.6)
        sigma = max(1.2, reach * typical)
        around = ndimage.gaussian_filter(thickness, sigma, truncate=3.0)
        change = around - thickness
        change += shining * np.clip(thickness - 1.0, 0.0, None) * 2.0
        inside = np.clip(thickness, 0.0, 1.0)
        change = amount * change + grain * inside * smooth_noise(rng, size, cell)
        canvas.rgb += change[..., None]

    classes = (SceneClass("cell"), SceneClass("round cell"))
    return SceneWorld(classes if rounded else classes[:1], draw, 0.97)


def _spread(
    rng: np.random.Generator, radius: float, spikes: int, depth: float, stretch: float
) -> Vertices:
    """Outline of a cell that holds on to the ground by some of its corners."""
    turn = np.linspace(0.0, 2.0 * np.pi, 72, endpoint=False)
    reach = 1.0 + 0.12 * np.sin(2.0 * turn + rng.uniform(0.0, 6.0))
    for _ in range(spikes + int(rng.integers(0, 2))):
        gap = np.angle(np.exp(1j * (turn - rng.uniform(0.0, 2.0 * np.pi))))
        reach += depth * rng.uniform(0.4, 1.3) * np.exp(-((gap / rng.uniform(0.12, 0.35)) ** 2))
    points = radius * reach[:, None] * np.stack([np.cos(turn), np.sin(turn)], 1)
    long = np.sqrt(rng.uniform(1.0, stretch))
    points = points * np.array([long, 1.0 / long])
    angle = rng.uniform(0.0, 2.0 * np.pi)
    cos, sin = np.cos(angle), np.sin(angle)
    return points @ np.array([[cos, sin], [-sin, cos]])


def _add(
    canvas: Canvas,
    thickness: NDArray[np.float32],
    patch: Patch | None,
    class_id: int | None,
    power: float,
    height: float = 1.0,
) -> None:
    """Let what a patch covers be thicker, most in its middle, and label it."""
    if patch is None:
        return
    dome = np.maximum(inner_depth(patch, canvas.size), 0.05) ** power
    below = thickness[patch.window]
    thickness[patch.window] = below + patch.coverage * height * dome
    if class_id is not None:
        canvas.mark(patch, class_id)


def nerve_section(rng: np.random.Generator) -> SceneWorld:
    """Show a nerve cut across: sheaths of all sizes close together, with little between them."""
    dark, pale = float(rng.uniform(0.05, 0.35)), float(rng.uniform(0.6, 0.95))
    between = float(rng.uniform(0.1, 0.5))
    if rng.random() < 0.25:
        dark, pale, between = pale, dark, 1.0 - between
    ground, sheath, inside = (
        random_texture(
            rng,
            colour=np.full(3, tone, np.float32),
            contrast=rng.uniform(0.03, 0.14),
            patterns=("grain", "clouds"),
            period=(4.0, 16.0),
        )
        for tone in (between, pale, dark)
    )
    ring = Material(sheath, vary=0.08, edge=float(rng.uniform(-0.2, 0.1)))
    core = Material(inside, vary=0.15)
    loose = Material(ground, vary=0.25, edge=-0.3)
    radius, spread = float(rng.uniform(0.025, 0.08)), float(rng.uniform(0.2, 0.6))
    share, spacing = float(rng.uniform(0.5, 0.8)), float(rng.uniform(0.9, 1.0))
    family = ShapeFamily("blob", depth=0.15, aspect=float(rng.uniform(1.0, 1.5)))

    def draw(canvas: Canvas, rng: np.random.Generator, view: View) -> None:
        size = view.size
        canvas.ground(rng, ground)
        for centre in rng.uniform(0.0, size, (int(rng.integers(0, 40)), 2)):
            reach = 0.4 * radius * size * rng.uniform(0.5, 1.2)
            canvas.shape(rng, ShapeFamily("blob"), centre, reach, loose)
        if view.absent:
            return
        typical = radius * size * view.scale
        many = int(np.clip(0.9 * (size / typical) ** 2 / np.pi * view.density, 4, 220))
        sizes = np.sort(typical * np.exp(rng.normal(0.0, spread, many)))[::-1]
        centres, index = scatter(rng, size, sizes, spacing=spacing)
        for centre, reach in zip(centres, sizes[index], strict=True):
            outline = family.outline(rng, float(max(2.5, reach)))
            inner = float(np.clip(share * np.exp(rng.normal(0.0, 0.12)), 0.3, 0.88))
            draw_sheathed(canvas, rng, outline, centre, inner, sheath=ring, inside=core)

    return SceneWorld((SceneClass("inside"), SceneClass("sheath")), draw, 0.95)
