"""Worlds of everyday things: shapes on grounds, coins, leaves, glyphs, landscapes, look-alikes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vrpsam_app.data.scene_canvas import Canvas, Material, SceneClass, SceneWorld, View
from vrpsam_app.data.scene_objects import ObjectKind, Part, draw_objects
from vrpsam_app.data.scene_shapes import (
    ShapeFamily,
    ShapeKind,
    random_family,
)
from vrpsam_app.data.scene_textures import (
    PATTERNS,
    FloatArray,
    PatternKind,
    Texture,
    coordinates,
    distinct_colour,
    random_colour,
    random_texture,
    same_brightness,
    smooth_noise,
)

GROUNDS: tuple[PatternKind, ...] = (
    "flat",
    "clouds",
    "marble",
    "stripes",
    "gradient",
    "grain",
    "bark",
    "spots",
    "scales",
)
FLAT: tuple[PatternKind, ...] = ("flat",)
# Kinds that nobody takes for one another at a glance.
DISTINCT_SHAPES: tuple[ShapeKind, ...] = (
    "ellipse",
    "star",
    "rod",
    "polygon",
    "cross",
    "crescent",
    "splat",
)
DISTINCT_PATTERNS: tuple[PatternKind, ...] = (
    "flat",
    "stripes",
    "checkers",
    "grain",
    "spots",
    "scales",
)


def random_material(
    rng: np.random.Generator,
    colour: FloatArray,
    *,
    plain_share: float = 0.4,
    motley_share: float = 0.0,
) -> Material:
    """Draw a surface of a mean colour with a random pattern, shading and sometimes a rim.

    In `motley_share` of the cases every object has another colour, so that only shape and pattern
    are left to tell the class.
    """
    plain = rng.random() < plain_share
    texture = random_texture(
        rng, colour=colour, patterns=FLAT if plain else PATTERNS, period=(3.0, 24.0)
    )
    rim = rng.random() < 0.15
    return Material(
        texture,
        edge=float(rng.uniform(-0.5, 0.4)) if rng.random() < 0.5 else 0.0,
        light=float(rng.uniform(-0.35, 0.35)) if rng.random() < 0.4 else 0.0,
        vary=float(rng.uniform(0.0, 0.2)),
        tint=float(rng.uniform(0.1, 0.8)) if rng.random() < motley_share else 0.0,
        rim=float(rng.uniform(0.1, 0.3)) if rim else 0.0,
        rim_colour=random_colour(rng) if rim else None,
    )


def _random_parts(rng: np.random.Generator) -> tuple[Part, ...]:
    """Draw up to three details that make an object more than one uniform shape."""
    return tuple(
        Part(
            random_family(rng, hole_share=0.0),
            random_material(rng, random_colour(rng)),
            radius=float(rng.uniform(0.2, 0.55)),
            place=(float(rng.uniform(-0.9, 0.9)), float(rng.uniform(-0.7, 0.7))),
        )
        for _ in range(int(rng.integers(1, 4)))
    )


def elsewhere(rng: np.random.Generator, colours: list[FloatArray]) -> Texture:
    """Draw the ground of another place, where pictures share objects but not surroundings."""
    return random_texture(rng, colour=distinct_colour(rng, colours, 0.3), patterns=GROUNDS)


def shapes(rng: np.random.Generator) -> SceneWorld:
    """Show two to four families of shapes, some with parts, strewn over a textured ground."""
    ground_colour = random_colour(rng)
    ground = random_texture(rng, colour=ground_colour, patterns=GROUNDS)
    colours = [ground_colour]
    kinds: list[ObjectKind] = []
    few = rng.random() < 0.6
    for class_id in range(1, int(rng.integers(2, 5)) + 1):
        colours.append(distinct_colour(rng, colours, rng.uniform(0.12, 0.5)))
        kinds.append(
            ObjectKind(
                class_id,
                random_family(rng),
                random_material(rng, colours[-1], motley_share=0.3),
                radius=float(rng.uniform(0.06, 0.2) if few else rng.uniform(0.025, 0.07)),
                count=float(rng.uniform(1.0, 5.0) if few else rng.uniform(5.0, 25.0)),
                parts=_random_parts(rng) if few and rng.random() < 0.5 else (),
                shadow=float(rng.uniform(0.2, 0.6)) if rng.random() < 0.3 else 0.0,
                upright=bool(rng.random() < 0.3),
            )
        )
    clutter = ObjectKind(
        0, random_family(rng), random_material(rng, random_colour(rng)), 0.04, rng.uniform(0, 8)
    )
    spacing = float(rng.uniform(0.3, 1.0))
    moving = bool(rng.random() < 0.35)

    def draw(canvas: Canvas, rng: np.random.Generator, view: View) -> None:
        canvas.ground(rng, elsewhere(rng, colours[1:]) if moving else ground)
        draw_objects(canvas, rng, view, [*kinds, clutter], spacing=spacing)

    return SceneWorld(tuple(SceneClass(f"{k.family.kind} {k.class_id}") for k in kinds), draw, 0.25)


def look_alikes(rng: np.random.Generator) -> SceneWorld:
    """Show two kinds of equal mean brightness that differ in shape, pattern, hue or size alone."""
    ground_colour = random_colour(rng)
    ground = random_texture(rng, colour=ground_colour, contrast=rng.uniform(0.0, 0.1))
    first = ObjectKind(
        1,
        random_family(rng, hole_share=0.0),
        replace(
            random_material(rng, distinct_colour(rng, [ground_colour], 0.35)),
            rim=0.0,
            rim_colour=None,
        ),
        radius=float(rng.uniform(0.035, 0.09)),
        count=float(rng.uniform(3.0, 14.0)),
        spread=0.08,
    )
    texture = first.material.texture
    middle = 0.5 * (texture.dark + texture.light)
    trait = ("shape", "pattern", "hue", "size", "hole")[int(rng.integers(5))]
    second = replace(first, class_id=2, count=float(rng.uniform(3.0, 14.0)))
    if trait == "shape":
        others = [kind for kind in DISTINCT_SHAPES if kind != first.family.kind]
        family = random_family(rng, [others[int(rng.integers(len(others)))]], hole_share=0.0)
        second = replace(second, family=family)
    elif trait == "pattern":
        one, two = (DISTINCT_PATTERNS[i] for i in rng.permutation(len(DISTINCT_PATTERNS))[:2])
        small = random_texture(
            rng, colour=middle, contrast=rng.uniform(0.2, 0.4), period=(3.0, 8.0)
        )
        first = replace(first, material=Material(replace(small, pattern=one)))
        second = replace(second, material=Material(replace(small, pattern=two)))
        bigger = float(rng.uniform(0.06, 0.12))
        first, second = replace(first, radius=bigger), replace(second, radius=bigger)
    elif trait == "hue":
        other = same_brightness(rng, middle)
        shift = texture.light - middle
        recoloured = replace(texture, dark=other - shift, light=other + shift)
        second = replace(second, material=replace(first.material, texture=recoloured))
    elif trait == "size":
        second = replace(second, radius=first.radius * float(rng.choice([0.5, 0.55, 1.8, 2.0])))
    else:
        second = replace(second, family=replace(first.family, hole=float(rng.uniform(0.45, 0.7))))
    kinds = [first, second]
    if rng.random() < 0.4:
        colour = distinct_colour(rng, [ground_colour, middle])
        kinds.append(ObjectKind(3, random_family(rng), random_material(rng, colour), 0.06, 4.0))

    def draw(canvas: Canvas, rng: np.random.Generator, view: View) -> None:
        canvas.ground(rng, ground)
        draw_objects(canvas, rng, view, kinds, spacing=0.9)

    names = (f"first {trait}", f"second {trait}", "other")[: len(kinds)]
    grey_share = 0.0 if trait == "hue" else 0.4
    return SceneWorld(tuple(map(SceneClass, names)), draw, grey_share)


def coins(rng: np.random.Generator) -> SceneWorld:
    """Show discs with a rim and a relief on an unevenly lit ground; two or three denominations."""
    ground_colour = random_colour(rng) * np.float32(0.7)
    ground = random_texture(rng, colour=ground_colour, contrast=0.06, patterns=("grain", "clouds"))
    metal = np.clip(ground_colour + rng.uniform(0.15, 0.45), 0.0, 1.0).astype(np.float32)
    kinds = []
    for class_id in range(1, int(rng.integers(1, 4)) + 1):
        tint = np.clip(metal * rng.uniform(0.75, 1.25, 3), 0.0, 1.0).astype(np.float32)
        face = random_texture(
            rng, colour=tint, contrast=rng.uniform(0.05, 0.2), patterns=("clouds", "scales", "bark")
        )
        rim = np.clip(tint * rng.uniform(0.6, 1.4), 0.0, 1.0).astype(np.float32)
        material = Material(
            face,
            edge=float(rng.uniform(-0.4, 0.3)),
            light=float(rng.uniform(-0.25, 0.25)),
            vary=0.12,
            rim=float(rng.uniform(0.05, 0.25)),
            rim_colour=rim,
        )
        hole = float(rng.uniform(0.2, 0.4)) if rng.random() < 0.15 else 0.0
        family = ShapeFamily("ellipse", irregularity=0.01, hole=hole)
        radius = float(rng.uniform(0.05, 0.13))
        stamp = Material(random_texture(rng, colour=rim, contrast=0.1), opacity=0.5)
        parts = (Part(random_family(rng, hole_share=0.0), stamp, 0.5),)
        kinds.append(
            ObjectKind(class_id, family, material, radius, rng.uniform(3, 9), 0.04, parts, 0.5)
        )

    def draw(canvas: Canvas, rng: np.random.Generator, view: View) -> None:
        canvas.ground(rng, ground)
        draw_objects(canvas, rng, view, kinds, spacing=1.05)

    names = tuple(SceneClass(f"coin {kind.class_id}") for kind in kinds)
    return SceneWorld(names, draw, 0.5)


def leaves(rng: np.random.Generator) -> SceneWorld:
    """Show overlapping leaves or fish-like shapes with a midrib on litter."""
    ground_colour = random_colour(rng)
    ground = random_texture(rng, colour=ground_colour, patterns=("clouds", "marble", "bark"))
    base = distinct_colour(rng, [ground_colour], 0.25)
    kinds = []
    for class_id in range(1, int(rng.integers(2, 4)) + 1):
        # Leaves of one wood share a colour; their outline tells them apart.
        colour = np.clip(base + rng.normal(0.0, 0.08, 3), 0.0, 1.0).astype(np.float32)
        family = ShapeFamily(
            ("leaf", "drop", "star", "blob", "rod")[int(rng.integers(5))],
            corners=int(rng.integers(3, 8)),
            depth=float(rng.uniform(0.15, 0.4)),
            aspect=float(rng.uniform(1.0, 2.5)),
            irregularity=0.08,
        )
        rib = Material(random_texture(rng, colour=colour * np.float32(0.6), patterns=FLAT))
        parts = (Part(ShapeFamily("rod", depth=0.1, aspect=5.0), rib, 0.35),)
        texture = random_texture(rng, colour=colour, contrast=0.08, period=(3.0, 12.0))
        material = Material(texture, edge=float(rng.uniform(-0.3, 0.2)), light=0.15, vary=0.2)
        kinds.append(
            ObjectKind(
                class_id,
                family,
                material,
                radius=float(rng.uniform(0.06, 0.13)),
                count=float(rng.uniform(3, 10)),
                parts=parts if rng.random() < 0.7 else (),
                shadow=0.35,
            )
        )

    def draw(canvas: Canvas, rng: np.random.Generator, view: View) -> None:
        canvas.ground(rng, ground)
        draw_objects(canvas, rng, view, kinds, spacing=0.45)

    return SceneWorld(tuple(SceneClass(f"{k.family.kind} {k.class_id}") for k in kinds), draw, 0.15)


def landscape(rng: np.random.Generator) -> SceneWorld:
    """Show bands of sky, hills and field as regions, with upright things standing on them."""
    bands = int(rng.integers(2, 4))
    colours: list[FloatArray] = []
    textures: list[Texture] = []
    for _ in range(bands):
        colours.append(distinct_colour(rng, colours, 0.3))
        textures.append(random_texture(rng, colour=colours[-1], period=(4.0, 40.0)))
    kinds = []
    for class_id in range(bands + 1, bands + 1 + int(rng.integers(1, 4))):
        colours.append(distinct_colour(rng, colours, 0.25))
        kinds.append(
            ObjectKind(
                class_id,
                random_family(rng, ("blob", "polygon", "rod", "drop", "ellipse", "splat")),
                random_material(rng, colours[-1]),
                radius=float(rng.uniform(0.06, 0.18)),
                count=float(rng.uniform(1.0, 4.0)),
                parts=_random_parts(rng) if rng.random() < 0.7 else (),
                shadow=0.3,
                upright=True,
            )
        )
    rough = rng.uniform(0.0, 0.08, bands)

    def draw(canvas: Canvas, rng: np.random.Generator, view: View) -> None:
        size = view.size
        canvas.ground(rng, textures[0])
        canvas.classes[:] = 1
        row, _ = coordinates(size)
        height = 0.0
        for index in range(1, bands):
            height += rng.uniform(0.25, 0.55) / (bands - 1) * (1.6 if index == 1 else 1.0)
            if index + 1 in view.absent:
                continue
            bend = smooth_noise(rng, size, 0.35 * size)[0] * 0.06
            bend = bend + rough[index] * smooth_noise(rng, size, 6.0)[0]
            region = row > (height + bend[None, :]) * size
            canvas.rgb[region] = canvas.tile(rng, textures[index])[region]
            canvas.mark_region(region, index + 1)
        draw_objects(canvas, rng, view, kinds, spacing=0.7)

    names = [SceneClass(f"band {i + 1}", instances=False) for i in range(bands)]
    names += [SceneClass(f"{k.family.kind} {k.class_id}") for k in kinds]
    return SceneWorld(tuple(names), draw, 0.1)
