"""Worlds of regions and bodies: texture mosaics, lesions, slices through organs, particles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from vrpsam_app.data.scene_canvas import Canvas, Material, SceneClass, SceneWorld, View
from vrpsam_app.data.scene_objects import ObjectKind, draw_objects
from vrpsam_app.data.scene_shapes import (
    Patch,
    ShapeFamily,
    ShapeKind,
    curve_patch,
    polygon_patch,
    random_family,
    tessellation,
    wandering_curve,
)
from vrpsam_app.data.scene_textures import (
    PATTERNS,
    FloatArray,
    distinct_colour,
    random_colour,
    random_texture,
    smooth_noise,
)


def regions(rng: np.random.Generator) -> SceneWorld:
    """Show a mosaic of textures: each is a class, with straight or bent borders."""
    count = int(rng.integers(2, 6))
    equal = rng.random() < 0.35
    colours: list[FloatArray] = []
    textures = []
    shared = random_texture(rng, contrast=rng.uniform(0.15, 0.4), period=(4.0, 16.0))
    patterns = rng.permutation(len(PATTERNS))
    for index in range(count):
        if equal:
            # Same two colours everywhere: the pattern or its direction alone is the class.
            pattern = PATTERNS[int(patterns[index])]
            angle = shared.angle + index * np.pi / count
            textures.append(replace(shared, pattern=pattern, angle=float(angle)))
        else:
            colours.append(distinct_colour(rng, colours, 0.25))
            textures.append(random_texture(rng, colour=colours[-1], period=(3.0, 40.0)))
    tiles, bend = float(rng.uniform(2.0, 5.0)), float(rng.uniform(0.0, 0.35))
    # In half of the groups the first texture is plain background.
    shift = int(rng.random() < 0.5)

    def draw(canvas: Canvas, rng: np.random.Generator, view: View) -> None:
        size = view.size
        number = max(2 * count, round((tiles / view.scale) ** 2))
        pitch = size / np.sqrt(number)
        cells = tessellation(rng, size, number, warp=bend * pitch, relax=bool(rng.random() < 0.5))
        owner = rng.permutation(np.arange(int(cells.max()) + 1) % count)
        for class_id in view.absent:
            index = class_id - 1 + shift
            owner[owner == index] = (index + 1) % count
        kind = owner[cells]
        for index, texture in enumerate(textures):
            here = kind == index
            if here.any():
                canvas.rgb[here] = texture.render(rng, size)[here]
                canvas.mark_region(here, index + 1 - shift)

    names = tuple(SceneClass(f"texture {i + 1}", instances=False) for i in range(count - shift))
    return SceneWorld(names, draw, 0.3)


def lesions(rng: np.random.Generator) -> SceneWorld:
    """Show a large soft-edged patch, or a few, on ground like skin, with spots and hairs."""
    base = np.clip(np.array([0.85, 0.65, 0.55]) + rng.normal(0.0, 0.1, 3), 0.1, 0.95)
    if rng.random() < 0.4:
        base = np.clip(random_colour(rng).astype(np.float64), 0.15, 0.95)
    skin = base.astype(np.float32)
    ground = random_texture(
        rng, colour=skin, contrast=rng.uniform(0.02, 0.1), patterns=("clouds", "grain", "scales")
    )
    patch_colour = np.clip(skin * rng.uniform(0.4, 0.85, 3), 0.0, 1.0).astype(np.float32)
    if rng.random() < 0.25:
        patch_colour = np.clip(skin * rng.uniform(1.05, 1.4, 3), 0.0, 1.0).astype(np.float32)
    surface = random_texture(
        rng,
        colour=patch_colour,
        contrast=rng.uniform(0.03, 0.2),
        patterns=("clouds", "grain", "marble", "scales", "spots"),
    )
    softness = float(rng.uniform(0.5, 5.0))
    family = ShapeFamily("blob", depth=float(rng.uniform(0.1, 0.5)), irregularity=0.08)
    radius = float(rng.uniform(0.12, 0.3))
    several = float(rng.uniform(1.0, 3.5)) if rng.random() < 0.4 else 1.0
    hair = bool(rng.random() < 0.6)
    hair_colour = np.clip(skin * rng.uniform(0.1, 0.4), 0.0, 1.0).astype(np.float32)
    spot_colour = np.clip(skin * rng.uniform(0.5, 0.8, 3), 0.0, 1.0).astype(np.float32)
    spots = ObjectKind(
        2,
        ShapeFamily("blob"),
        Material(random_texture(rng, colour=spot_colour, contrast=0.05)),
        radius=0.02,
        count=float(rng.uniform(2, 10)),
    )

    def draw(canvas: Canvas, rng: np.random.Generator, view: View) -> None:
        size = view.size
        canvas.ground(rng, ground)
        draw_objects(canvas, rng, view, [spots])
        many = 0 if 1 in view.absent else max(1, round(several * view.density))
        for _ in range(many):
            reach = radius * size * min(view.scale, 1.3) / np.sqrt(max(1.0, 0.6 * many))
            centre = rng.uniform(0.25, 0.75, 2) * size
            patch = polygon_patch(family.outline(rng, reach) + centre, size)
            if patch is None:
                continue
            canvas.paint(rng, _softened(patch, softness, size), Material(surface, edge=0.15), 1)
        if hair:
            for _ in range(view.count(rng, 7.0, 3)):
                start = rng.uniform(0.0, size, 2)
                reach = rng.uniform(0.3, 0.8) * size
                line = wandering_curve(rng, start, rng.uniform(0.0, 6.3), reach, wiggle=0.12)
                stroke = curve_patch([(line, 1.4, 0.8)], size)
                if stroke is not None:
                    canvas.blend(stroke, hair_colour, 0.9)
                    canvas.mark(stroke, 3)

    names = tuple(map(SceneClass, ("patch", "spot", "hair")[: 3 if hair else 2]))
    return SceneWorld(names, draw, 0.1)


def _softened(patch: Patch, sigma: float, size: int) -> Patch:
    """Keep the label, with a coverage that fades about two sigma to both sides of the border."""
    full = np.zeros((size, size), np.float32)
    full[patch.window] = patch.coverage
    label = np.zeros((size, size), bool)
    label[patch.window] = patch.label
    whole = (slice(0, size), slice(0, size))
    return Patch(whole, ndimage.gaussian_filter(full, sigma, truncate=2.5), label)


def slices(rng: np.random.Generator) -> SceneWorld:
    """Show a section through a body: nested smooth organs of similar grey at fixed places."""
    count = int(rng.integers(3, 6))
    levels = rng.permutation(np.linspace(0.2, 0.9, count + 1))
    tint = np.ones(3) if rng.random() < 0.8 else 0.6 + 0.4 * random_colour(rng)
    textures = [
        random_texture(
            rng,
            colour=np.clip(level * tint, 0.0, 1.0).astype(np.float32),
            contrast=rng.uniform(0.01, 0.08),
            patterns=("clouds", "grain", "flat"),
        )
        for level in levels
    ]
    body = ShapeFamily("blob", depth=0.12, aspect=float(rng.uniform(1.0, 1.6)))
    organs = [
        (
            rng.uniform(-0.22, 0.22, 2),
            float(rng.uniform(0.05, 0.15)),
            ShapeFamily(
                "blob",
                depth=float(rng.uniform(0.1, 0.5)),
                aspect=float(rng.uniform(1.0, 2.0)),
                hole=0.6 if rng.random() < 0.15 else 0.0,
            ),
            bool(rng.random() < 0.4),
        )
        for _ in range(count - 1)
    ]

    def draw(canvas: Canvas, rng: np.random.Generator, view: View) -> None:
        size = view.size
        canvas.rgb[:] = np.float32(0.04)
        centre = (0.5 + rng.normal(0.0, 0.04, 2)) * size
        scale = size * min(1.15, max(0.75, view.scale))
        tilt = rng.normal(0.0, 0.2)
        number = canvas.shape(
            rng, body, centre, 0.42 * scale, Material(textures[0], edge=0.15), 1, angle=tilt
        )
        if number == 0:
            return
        for index, (place, radius, family, twin) in enumerate(organs):
            if index + 2 in view.absent:
                continue
            for side in (1.0, -1.0) if twin else (1.0,):
                spot = centre + scale * (place * np.array([side, 1.0]) + rng.normal(0.0, 0.02, 2))
                reach = radius * scale * np.exp(rng.normal(0.0, 0.12))
                material = Material(textures[index + 1], vary=0.04)
                canvas.shape(rng, family, spot, reach, material, index + 2, angle=tilt + side * 0.5)

    names = [SceneClass("body")] + [SceneClass(f"organ {i + 1}") for i in range(count - 1)]
    return SceneWorld(tuple(names), draw, 0.85)


def particles(rng: np.random.Generator) -> SceneWorld:
    """Show round or faceted grains on noisy ground, perhaps of two habits."""
    level = float(rng.uniform(0.15, 0.7))
    ground = random_texture(
        rng,
        colour=np.full(3, level, np.float32),
        contrast=rng.uniform(0.02, 0.15),
        patterns=("grain", "clouds", "scales"),
    )
    offset = float(rng.choice([-1.0, 1.0])) * rng.uniform(0.12, 0.5)
    grain_level = np.clip(level + offset, 0.03, 0.97)
    habits: tuple[ShapeKind, ...] = ("ellipse", "polygon", "rod", "blob", "star", "cross")
    kinds = []
    same_surface = rng.random() < 0.5
    small = rng.random() < 0.5
    radius = float(rng.uniform(0.02, 0.05) if small else rng.uniform(0.05, 0.12))
    for class_id in (1, 2):
        if class_id == 2 and rng.random() < 0.3:
            break
        if class_id == 1 or not same_surface:
            surface = random_texture(
                rng, colour=np.full(3, grain_level, np.float32), contrast=rng.uniform(0.02, 0.12)
            )
            material = Material(
                surface,
                edge=float(rng.uniform(-0.6, 0.8)),
                light=float(rng.uniform(-0.5, 0.5)) if rng.random() < 0.6 else 0.0,
                vary=float(rng.uniform(0.0, 0.2)),
                opacity=float(rng.uniform(0.6, 1.0)),
            )
        kinds.append(
            ObjectKind(
                class_id,
                random_family(rng, habits, hole_share=0.05),
                material,
                radius=radius * (1.0 if class_id == 1 else float(rng.uniform(0.6, 1.5))),
                count=float(rng.uniform(20, 70) if small else rng.uniform(4, 18)),
                spread=float(rng.uniform(0.05, 0.35)),
                shadow=float(rng.uniform(0.1, 0.5)) if rng.random() < 0.3 else 0.0,
            )
        )
    spacing, clusters = float(rng.uniform(0.4, 1.0)), int(rng.integers(0, 5))

    def draw(canvas: Canvas, rng: np.random.Generator, view: View) -> None:
        canvas.ground(rng, ground)
        draw_objects(canvas, rng, view, kinds, spacing=spacing, clusters=clusters)
        if view.density < 0.8:
            canvas.rgb += (
                np.float32(0.06) * smooth_noise(rng, view.size, 0.3 * view.size)[..., None]
            )

    names = tuple(SceneClass(f"{kind.family.kind} {kind.class_id}") for kind in kinds)
    return SceneWorld(names, draw, 0.85)
