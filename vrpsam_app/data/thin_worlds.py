"""Worlds of thin things: membranes, nerve fibres in section, threads, vessels."""

from __future__ import annotations

import numpy as np

from vrpsam_app.data.scene_canvas import Canvas, Material, SceneClass, SceneWorld, View, scatter
from vrpsam_app.data.scene_objects import ObjectKind, draw_objects, draw_sheathed
from vrpsam_app.data.scene_shapes import (
    ShapeFamily,
    border_distance,
    branching_tree,
    curve_patch,
    tessellation,
    wandering_curve,
)
from vrpsam_app.data.scene_textures import (
    coordinates,
    distinct_colour,
    random_colour,
    random_texture,
    smooth_noise,
)


def membranes(rng: np.random.Generator) -> SceneWorld:
    """Show what electron microscopes do: dark membranes in a net, cell insides, organelles."""
    pale = np.full(3, rng.uniform(0.5, 0.8), np.float32)
    inside = random_texture(
        rng, colour=pale, contrast=rng.uniform(0.05, 0.2), patterns=("grain", "clouds")
    )
    dark = np.full(3, rng.uniform(0.1, 0.35), np.float32)
    line = random_texture(rng, colour=dark, contrast=0.1, patterns=("grain", "clouds"))
    organelle_level = np.full(3, rng.uniform(0.2, 0.45), np.float32)
    organelle = Material(
        random_texture(
            rng,
            colour=organelle_level,
            contrast=rng.uniform(0.05, 0.15),
            patterns=("stripes", "grain", "clouds"),
            period=(3.0, 6.0),
        ),
        edge=float(rng.uniform(-0.5, 0.0)),
    )
    cells_wide = float(rng.uniform(3.0, 10.0))
    width = float(rng.uniform(1.5, 4.5))
    even = bool(rng.random() < 0.4)
    family = ShapeFamily("blob", depth=0.25, aspect=float(rng.uniform(1.0, 2.2)))
    organelles = ObjectKind(
        3, family, organelle, 0.16 / cells_wide * rng.uniform(1.0, 2.0), rng.uniform(3, 12)
    )
    vesicles = bool(rng.random() < 0.4)

    def draw(canvas: Canvas, rng: np.random.Generator, view: View) -> None:
        size = view.size
        canvas.ground(rng, inside)
        count = max(4, round((cells_wide / view.scale) ** 2))
        pitch = size / np.sqrt(count)
        cells = tessellation(rng, size, count, warp=rng.uniform(0.03, 0.25) * pitch, relax=even)
        tone = np.exp(rng.normal(0.0, 0.06, int(cells.max()) + 1)).astype(np.float32)
        canvas.rgb *= tone[cells][..., None]
        distance = border_distance(cells)
        if 2 not in view.absent:
            canvas.classes[:] = 2
            canvas.instances[:] = cells + 1
            canvas.reserve(int(cells.max()) + 1)
        if vesicles:
            dots = ShapeFamily("ellipse", hole=0.5)
            dot = Material(line, opacity=0.7)
            for centre in rng.uniform(0.0, size, (25, 2)):
                canvas.shape(rng, dots, centre, 1.8, dot)
        draw_objects(canvas, rng, view, [organelles])
        if 1 not in view.absent:
            wide = width * view.scale * np.exp(0.25 * smooth_noise(rng, size, 0.15 * size)) / 2.0
            amount = np.clip(wide + 0.8 - distance, 0.0, 1.0)[..., None]
            canvas.rgb += amount * (canvas.tile(rng, line) - canvas.rgb)
            canvas.mark_region(distance <= wide, 1)

    classes = (
        SceneClass("membrane", instances=False),
        SceneClass("cell inside"),
        SceneClass("organelle"),
    )
    return SceneWorld(classes, draw, 0.85)


def axons(rng: np.random.Generator) -> SceneWorld:
    """Show rings of sheath around pale insides: ring and inside are two classes."""
    ground_colour = np.full(3, rng.uniform(0.3, 0.7), np.float32)
    if rng.random() < 0.25:
        ground_colour = random_colour(rng)
    ground = random_texture(rng, colour=ground_colour, contrast=rng.uniform(0.03, 0.15))
    sheath_colour = distinct_colour(rng, [ground_colour], 0.35)
    axon_colour = ground_colour
    if rng.random() < 0.6:
        axon_colour = np.clip(ground_colour + rng.normal(0.0, 0.12), 0.05, 0.95).astype(np.float32)
    sheath = Material(random_texture(rng, colour=sheath_colour, contrast=0.06), vary=0.08)
    axon = Material(
        random_texture(rng, colour=axon_colour, contrast=0.08, patterns=("grain", "clouds")),
        vary=0.08,
    )
    radius, count = float(rng.uniform(0.03, 0.1)), float(rng.uniform(8, 45))
    share = float(rng.uniform(0.45, 0.8))
    spacing = float(rng.uniform(0.9, 1.1))
    family = ShapeFamily("blob", depth=0.2, aspect=float(rng.uniform(1.0, 1.8)))

    def draw(canvas: Canvas, rng: np.random.Generator, view: View) -> None:
        size = view.size
        canvas.ground(rng, ground)
        if view.absent:
            # An inside without its sheath would not be one: the tissue is empty.
            return
        many = max(1, round(count * view.density / max(1.0, view.scale) ** 1.2))
        sizes = radius * size * view.scale * np.exp(rng.normal(0.0, 0.35, many))
        centres, index = scatter(rng, size, np.sort(sizes)[::-1], spacing=spacing)
        sizes = np.sort(sizes)[::-1][index]
        for centre, reach in zip(centres, sizes, strict=True):
            outline = family.outline(rng, float(max(2.5, reach)))
            inner = min(0.85, share * float(np.exp(rng.normal(0.0, 0.1))))
            draw_sheathed(canvas, rng, outline, centre, inner, sheath=sheath, inside=axon)

    return SceneWorld((SceneClass("inside"), SceneClass("sheath")), draw, 0.7)


def fibres(rng: np.random.Generator) -> SceneWorld:
    """Show two kinds of thread that differ in width, waviness or colour, and specks."""
    ground_colour = random_colour(rng)
    ground = random_texture(rng, colour=ground_colour, contrast=rng.uniform(0.0, 0.12))
    colour = distinct_colour(rng, [ground_colour], rng.uniform(0.2, 0.5))
    same = rng.random() < 0.6
    colours = [colour, colour if same else distinct_colour(rng, [ground_colour, colour], 0.25)]
    threads = [Material(random_texture(rng, colour=c, contrast=0.05), vary=0.12) for c in colours]
    trait = rng.random()
    widths = rng.uniform(1.2, 4.0) * np.array([1.0, rng.uniform(2.0, 3.0) if trait < 0.5 else 1.0])
    waves = [0.04, 0.9] if trait >= 0.5 or rng.random() < 0.4 else [rng.uniform(0.02, 0.4)] * 2
    aligned = float(rng.uniform(0.0, np.pi)) if rng.random() < 0.4 else None
    counts = rng.uniform(4, 16, 2)
    length = float(rng.uniform(0.3, 1.3))
    specks = ObjectKind(
        3, ShapeFamily("ellipse"), Material(threads[0].texture, vary=0.1), 0.02, rng.uniform(3, 10)
    )

    def draw(canvas: Canvas, rng: np.random.Generator, view: View) -> None:
        size = view.size
        canvas.ground(rng, ground)
        jobs = [i for i in (0, 1) for _ in range(view.count(rng, counts[i], i + 1))]
        for index in rng.permutation(np.array(jobs, int)):
            heading = rng.uniform(0.0, 2.0 * np.pi)
            if aligned is not None:
                heading = aligned + rng.normal(0.0, 0.15) + np.pi * rng.integers(2)
            start = rng.uniform(-0.1 * size, 1.1 * size, 2)
            reach = length * size * rng.uniform(0.6, 1.2)
            points = wandering_curve(rng, start, heading, reach, wiggle=waves[index])
            width = max(1.2, widths[index] * view.scale)
            patch = curve_patch([(points, width, width)], size)
            if patch is not None:
                canvas.paint(rng, patch, threads[index], int(index) + 1)
        draw_objects(canvas, rng, view, [specks])

    classes = tuple(map(SceneClass, ("thin thread", "other thread", "speck")))
    return SceneWorld(classes, draw, 0.4)


def vessels(rng: np.random.Generator) -> SceneWorld:
    """Show branching trees on a lit disc or the whole field, with a bright patch and dark spots."""
    ground_colour = np.clip(random_colour(rng), 0.2, 0.9)
    ground = random_texture(rng, colour=ground_colour, contrast=0.06, patterns=("clouds", "grain"))
    factor = rng.uniform(0.5, 0.85) if rng.random() < 0.7 else rng.uniform(1.15, 1.6)
    tree_colour = np.clip(ground_colour * factor, 0.0, 1.0).astype(np.float32)
    tree = random_texture(rng, colour=tree_colour, contrast=0.04, patterns=("grain", "clouds"))
    in_disc = bool(rng.random() < 0.6)
    width, wiggle = float(rng.uniform(2.0, 6.5)), float(rng.uniform(0.05, 0.35))
    spot_colour = np.clip(ground_colour * 0.6, 0.0, 1.0).astype(np.float32)
    spots = ObjectKind(
        2,
        ShapeFamily("blob"),
        Material(random_texture(rng, colour=spot_colour, contrast=0.03), edge=-0.1),
        radius=float(rng.uniform(0.01, 0.03)),
        count=float(rng.uniform(1, 8)),
    )
    bright = np.clip(ground_colour * 1.5 + 0.1, 0.0, 1.0).astype(np.float32)
    plate = Material(random_texture(rng, colour=bright, contrast=0.04), edge=-0.2, opacity=0.85)

    def draw(canvas: Canvas, rng: np.random.Generator, view: View) -> None:
        size = view.size
        canvas.ground(rng, ground)
        if in_disc:
            root = size * np.array([rng.uniform(0.2, 0.8), rng.uniform(0.35, 0.65)])
        else:
            root = rng.uniform(0.0, size, 2)
        if in_disc and 3 not in view.absent:
            canvas.shape(rng, ShapeFamily("ellipse"), root, 0.08 * size * view.scale, plate, 3)
        draw_objects(canvas, rng, view, [spots])
        if 1 not in view.absent:
            toward = float(np.arctan2(*(0.5 * size - root)[::-1]))
            curves = []
            for arm in range(int(rng.integers(3, 6))):
                heading = toward + (arm - 1.5) * 0.8 + rng.normal(0.0, 0.3)
                if not in_disc:
                    root = rng.uniform(0.0, size, 2)
                    heading = rng.uniform(0.0, 2.0 * np.pi)
                thick = width * view.scale**0.5 * rng.uniform(0.6, 1.1)
                reach = rng.uniform(0.2, 0.4) * size
                curves += branching_tree(rng, root, heading, reach, thick, wiggle=wiggle)
            curves = [(p, max(a, 0.9), max(b, 0.9)) for p, a, b in curves]
            patch = curve_patch(curves, size)
            if patch is not None:
                canvas.paint(rng, patch, Material(tree), 1, instance=0)
        if in_disc:
            row, col = coordinates(size)
            away = np.hypot(row - 0.5 * size, col - 0.5 * size) / (0.5 * size)
            canvas.rgb *= (1.1 - 0.35 * away**2)[..., None]
            outside = away > 0.98
            canvas.rgb[outside] = np.float32(0.02)
            canvas.mark_region(outside, 0)

    classes = [SceneClass("vessel", instances=False), SceneClass("dark spot")]
    if in_disc:
        classes.append(SceneClass("bright disc"))
    return SceneWorld(tuple(classes), draw, 0.3)
