"""Worlds of cells: nuclei, phase contrast, stained tissue, blood, epithelium."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from vrpsam_app.data.scene_canvas import Canvas, Material, SceneClass, SceneWorld, View, scatter
from vrpsam_app.data.scene_objects import ObjectKind, draw_objects
from vrpsam_app.data.scene_shapes import (
    ShapeFamily,
    border_distance,
    polygon_patch,
    tessellation,
)
from vrpsam_app.data.scene_textures import (
    FloatArray,
    distinct_colour,
    random_colour,
    random_texture,
    smooth_noise,
)


def _grey(level: float) -> FloatArray:
    return np.full(3, level, np.float32)


def _around(rng: np.random.Generator, colour: tuple[float, float, float], sd: float) -> FloatArray:
    return np.clip(np.array(colour) + rng.normal(0.0, sd, 3), 0.02, 0.98).astype(np.float32)


def nuclei(rng: np.random.Generator) -> SceneWorld:
    """Show fluorescent nuclei, few and large to many and touching, with debris or rods."""
    small = rng.random() < 0.5
    radius = float(rng.uniform(0.02, 0.045) if small else rng.uniform(0.05, 0.11))
    count = float(rng.uniform(30, 130) if small else rng.uniform(3, 22))
    level, floor = float(rng.uniform(0.25, 0.95)), float(rng.uniform(0.0, 0.15))
    tint = _grey(1.0) if rng.random() < 0.6 else random_colour(rng) + np.float32(0.2)
    family = ShapeFamily(
        "blob" if rng.random() < 0.6 else "ellipse",
        depth=float(rng.uniform(0.05, 0.25)),
        aspect=float(rng.uniform(1.0, 1.8)),
    )
    texture = random_texture(
        rng, colour=level * tint, contrast=rng.uniform(0.02, 0.2), patterns=("clouds", "grain")
    )
    body = Material(texture, edge=float(rng.uniform(-0.6, 0.1)), vary=float(rng.uniform(0.05, 0.5)))
    kinds = [ObjectKind(1, family, body, radius, count, spread=0.2)]
    names = [SceneClass("nucleus")]
    if rng.random() < 0.5:
        other = random_texture(rng, colour=level * tint * rng.uniform(0.7, 1.2), contrast=0.05)
        debris = rng.random() < 0.5
        odd = ShapeFamily("ellipse") if debris else ShapeFamily("rod", aspect=1.5)
        odd_radius = radius * (0.35 if debris else 0.9)
        kinds.append(ObjectKind(2, odd, Material(other, vary=0.2), odd_radius, count * 0.4, 0.2))
        names.append(SceneClass("debris" if debris else "rod"))
    spacing = float(rng.uniform(0.65, 1.1))
    clusters = int(rng.integers(1, 6)) if rng.random() < 0.4 else 0
    glow = float(rng.uniform(0.0, 0.35)) if rng.random() < 0.6 else 0.0
    ground = random_texture(rng, colour=floor * tint, contrast=0.03, patterns=("clouds", "grain"))

    def draw(canvas: Canvas, rng: np.random.Generator, view: View) -> None:
        canvas.ground(rng, ground)
        draw_objects(canvas, rng, view, kinds, spacing=spacing, clusters=clusters)
        if glow > 0.0:
            # Light from above and below the plane, and cytoplasm around the nuclei.
            sigma = 0.7 * radius * view.size * view.scale
            halo = ndimage.gaussian_filter(canvas.rgb, (sigma, sigma, 0.0), truncate=2.0)
            canvas.rgb += np.float32(glow) * halo

    return SceneWorld(tuple(names), draw, 0.6)


def phase_cells(rng: np.random.Generator) -> SceneWorld:
    """Show cells hardly darker or brighter than the ground, ringed by a halo; round ones shine."""
    ground_level = float(rng.uniform(0.35, 0.6))
    ground = random_texture(
        rng,
        colour=_grey(ground_level),
        contrast=rng.uniform(0.02, 0.1),
        patterns=("clouds", "grain"),
    )
    family = ShapeFamily(
        ("blob", "splat", "rod", "crescent")[int(rng.choice(4, p=[0.4, 0.4, 0.12, 0.08]))],
        depth=float(rng.uniform(0.2, 0.7)),
        aspect=float(rng.uniform(1.0, 2.5)),
    )
    level = ground_level + float(rng.uniform(-0.12, 0.12))
    texture = random_texture(
        rng,
        colour=_grey(level),
        contrast=rng.uniform(0.08, 0.25),
        patterns=("clouds", "grain", "scales", "marble"),
        period=(4.0, 14.0),
    )
    body = Material(texture, edge=float(rng.uniform(-0.5, 0.5)), vary=0.08)
    radius, count = float(rng.uniform(0.04, 0.12)), float(rng.uniform(5, 24))
    kinds = [ObjectKind(1, family, body, radius, count, spread=0.25)]
    names = [SceneClass("cell")]
    if rng.random() < 0.6:
        shining = random_texture(rng, colour=_grey(min(0.95, level + 0.3)), contrast=0.1)
        round_body = Material(shining, edge=float(rng.uniform(-0.7, -0.2)))
        kinds.append(ObjectKind(2, ShapeFamily("ellipse"), round_body, 0.6 * radius, 5.0))
        names.append(SceneClass("round cell"))
    halo, reach = float(rng.uniform(0.1, 0.6)), float(rng.uniform(1.0, 3.0))
    nucleus = bool(rng.random() < 0.5)

    def draw(canvas: Canvas, rng: np.random.Generator, view: View) -> None:
        canvas.ground(rng, ground)
        draw_objects(canvas, rng, view, kinds, spacing=0.75)
        if nucleus:
            _dimple(canvas, rng)
        inside = (canvas.classes > 0).astype(np.float32)
        blurred = ndimage.gaussian_filter(inside, reach * view.scale, truncate=2.5)
        ring = (blurred - 0.6 * inside) * (1.0 - 0.8 * inside)
        canvas.rgb += np.float32(halo) * ring[..., None]

    return SceneWorld(tuple(names), draw, 0.95)


def _dimple(canvas: Canvas, rng: np.random.Generator) -> None:
    """Draw a faint nucleus into the middle of each object, unlabelled."""
    areas = np.bincount(canvas.instances.ravel())
    areas[0] = 0
    numbers = np.flatnonzero(areas > 20)
    if len(numbers) == 0:
        return
    middles = ndimage.center_of_mass(canvas.instances > 0, canvas.instances, numbers)
    dark = random_texture(rng, colour=_grey(0.3), contrast=0.1)
    material = Material(dark, opacity=float(rng.uniform(0.2, 0.5)))
    for (row, col), area in zip(middles, areas[numbers], strict=True):
        radius = 0.4 * np.sqrt(area / np.pi)
        canvas.shape(rng, ShapeFamily("ellipse"), np.array([col, row]), radius, material)


def stained_tissue(rng: np.random.Generator) -> SceneWorld:
    """Show two stains: regions of one colour in another, with darker nuclei over both."""
    natural = rng.random() < 0.7
    pale = _around(rng, (0.9, 0.84, 0.88), 0.05) if natural else random_colour(rng)
    first = _around(rng, (0.68, 0.48, 0.3), 0.08) if natural else distinct_colour(rng, [pale], 0.3)
    second = _around(rng, (0.62, 0.64, 0.8), 0.08)
    if not natural or rng.random() < 0.2:
        second = distinct_colour(rng, [pale, first], 0.3)
    dark = _around(rng, (0.3, 0.25, 0.45), 0.08)
    nucleus_colour = dark if natural else distinct_colour(rng, [pale, first, second], 0.3)
    stains = [
        random_texture(
            rng,
            colour=colour,
            contrast=rng.uniform(0.05, 0.2),
            patterns=("clouds", "grain", "marble"),
        )
        for colour in (pale, first, second)
    ]
    body = Material(
        random_texture(rng, colour=nucleus_colour, contrast=0.08, patterns=("clouds", "grain")),
        edge=float(rng.uniform(-0.2, 0.3)),
        vary=0.2,
        opacity=float(rng.uniform(0.65, 1.0)),
    )
    family = ShapeFamily("blob", depth=0.2, aspect=float(rng.uniform(1.0, 2.0)))
    radius = float(rng.uniform(0.018, 0.05))
    kind = ObjectKind(3, family, body, radius, float(rng.uniform(12, 70)), spread=0.2)
    lumen = bool(rng.random() < 0.5)
    coarse = float(rng.uniform(0.12, 0.45))
    share = float(rng.uniform(-0.3, 0.6))

    def draw(canvas: Canvas, rng: np.random.Generator, view: View) -> None:
        size = view.size
        canvas.ground(rng, stains[0])
        cell = coarse * size * view.scale
        for class_id in (2, 1):
            if class_id in view.absent:
                continue
            field = smooth_noise(rng, size, cell) + 0.25 * smooth_noise(rng, size, 0.2 * cell)
            level = share if class_id == 1 else -0.4
            amount = np.clip((field - level) * 6.0, 0.0, 1.0)[..., None]
            canvas.rgb += amount * (canvas.tile(rng, stains[class_id]) - canvas.rgb)
            canvas.mark_region(field > level + 0.08, class_id)
        if lumen:
            field = smooth_noise(rng, size, 0.8 * cell)
            hole = field > 1.3
            canvas.rgb[hole] = np.float32(0.95)
            canvas.mark_region(hole, 0)
        draw_objects(canvas, rng, view, [kind], spacing=0.85)

    classes = (
        SceneClass("first stain", instances=False),
        SceneClass("second stain", instances=False),
        SceneClass("nucleus"),
    )
    return SceneWorld(classes, draw, 0.05)


def blood_smear(rng: np.random.Generator) -> SceneWorld:
    """Show many pale discs and a few large cells with cytoplasm and lobed nucleus."""
    natural = rng.random() < 0.7
    ground_colour = _around(rng, (0.88, 0.86, 0.84), 0.06) if natural else random_colour(rng)
    red = _around(rng, (0.82, 0.6, 0.6), 0.07)
    plasma = _around(rng, (0.72, 0.7, 0.85), 0.07)
    core = _around(rng, (0.4, 0.22, 0.55), 0.08)
    if not natural:
        red = distinct_colour(rng, [ground_colour], 0.2)
        plasma = distinct_colour(rng, [ground_colour, red], 0.2)
        core = distinct_colour(rng, [ground_colour, red, plasma], 0.3)
    textures = [
        random_texture(rng, colour=colour, contrast=contrast, patterns=("clouds", "grain"))
        for colour, contrast in (
            (ground_colour, 0.02),
            (red, 0.03),
            (plasma, rng.uniform(0.03, 0.15)),
            (core, rng.uniform(0.03, 0.12)),
        )
    ]
    disc = Material(textures[1], edge=float(rng.uniform(-0.25, 0.05)), vary=0.05)
    pallor = float(rng.uniform(0.0, 0.5))
    radius = float(rng.uniform(0.04, 0.09))
    lobes = int(rng.integers(1, 5))
    ratio = float(rng.uniform(1.3, 1.9))
    discs = float(rng.uniform(8, 40)) * (0.06 / radius)
    plate = Material(textures[3], opacity=0.8)
    platelets = ObjectKind(4, ShapeFamily("blob"), plate, 0.25 * radius, 6.0)

    def draw(canvas: Canvas, rng: np.random.Generator, view: View) -> None:
        size = view.size
        canvas.ground(rng, textures[0])
        red_radius = radius * size * view.scale
        count = view.count(rng, discs, 1)
        centres, _ = scatter(rng, size, np.full(count, red_radius), spacing=0.85)
        ring = ShapeFamily("blob", depth=0.08)
        pale = Material(textures[0], opacity=pallor)
        for centre in centres:
            number = canvas.shape(rng, ring, centre, red_radius * rng.uniform(0.9, 1.1), disc, 1)
            if pallor > 0.1 and number:
                canvas.shape(rng, ring, centre, 0.4 * red_radius, pale, 1, instance=number)
        draw_objects(canvas, rng, view, [platelets])
        whites = view.count(rng, 2.0)
        large = ratio * red_radius
        centres, _ = scatter(rng, size, np.full(whites, large), spacing=1.1)
        for centre in centres:
            if 3 not in view.absent:
                cell = ShapeFamily("blob", depth=0.12)
                canvas.shape(rng, cell, centre, large, Material(textures[2], edge=-0.1), 3)
            if 2 in view.absent:
                continue
            whole: int | None = None
            for _ in range(lobes):
                spot = centre + rng.normal(0.0, 0.28 * large, 2) * (lobes > 1)
                lobe = large * rng.uniform(0.65, 0.8) / np.sqrt(lobes) * (1.25 if lobes > 1 else 1)
                family = ShapeFamily("blob", depth=0.2)
                stain = Material(textures[3], vary=0.08)
                made = canvas.shape(rng, family, spot, lobe, stain, 2, instance=whole)
                whole = made or whole

    classes = tuple(map(SceneClass, ("red cell", "nucleus", "cytoplasm", "platelet")))
    return SceneWorld(classes, draw, 0.1)


def epithelium(rng: np.random.Generator) -> SceneWorld:
    """Show a sheet of cells whose borders, insides and nuclei are classes of their own."""
    base = random_colour(rng)
    inside = random_texture(rng, colour=base, contrast=rng.uniform(0.02, 0.12))
    line_colour = distinct_colour(rng, [base], rng.uniform(0.2, 0.5))
    line = random_texture(rng, colour=line_colour, contrast=0.1, patterns=("grain", "clouds"))
    core_colour = line_colour if rng.random() < 0.4 else distinct_colour(rng, [base, line_colour])
    core = Material(random_texture(rng, colour=core_colour, contrast=0.08), vary=0.15)
    cells_wide = float(rng.uniform(4.0, 11.0))
    width = float(rng.uniform(1.2, 3.2))
    with_nuclei = bool(rng.random() < 0.6)
    patchy = float(rng.uniform(0.0, 0.2))

    def draw(canvas: Canvas, rng: np.random.Generator, view: View) -> None:
        size = view.size
        canvas.ground(rng, inside)
        count = max(4, round((cells_wide / view.scale) ** 2))
        pitch = size / np.sqrt(count)
        cells = tessellation(rng, size, count, warp=float(rng.uniform(0.0, 0.12)) * pitch)
        tone = np.exp(rng.normal(0.0, patchy, int(cells.max()) + 1)).astype(np.float32)
        canvas.rgb *= tone[cells][..., None]
        distance = border_distance(cells)
        reach = min(width * view.scale, 0.2 * pitch) / 2.0
        if 2 not in view.absent:
            canvas.classes[:] = 2
            canvas.instances[:] = cells + 1
        if 1 not in view.absent:
            amount = np.clip(reach + 0.8 - distance, 0.0, 1.0)[..., None]
            canvas.rgb += amount * (canvas.tile(rng, line) - canvas.rgb)
            canvas.mark_region(distance <= reach, 1)
        if with_nuclei and 3 not in view.absent:
            canvas.reserve(int(cells.max()) + 1)
            free = distance > reach
            middles = ndimage.center_of_mass(free, cells, np.unique(cells[free]))
            for row, col in middles:
                outline = ShapeFamily("blob", depth=0.15).outline(rng, 0.22 * pitch)
                patch = polygon_patch(outline + np.array([col, row]), size)
                if patch is not None and rng.random() < 0.9:
                    canvas.paint(rng, patch, core, 3)

    classes = [SceneClass("cell border", instances=False), SceneClass("cell inside")]
    if with_nuclei:
        classes.append(SceneClass("nucleus"))
    return SceneWorld(tuple(classes), draw, 0.4)
