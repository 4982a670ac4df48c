"""Worlds of composed things: jointed creatures, land seen from above, transparent bubbles."""

from __future__ import annotations

import numpy as np

from vrpsam_app.data.everyday_worlds import GROUNDS, elsewhere, random_material
from vrpsam_app.data.scene_canvas import Canvas, Material, SceneClass, SceneWorld, View, scatter
from vrpsam_app.data.scene_objects import ObjectKind, draw_objects
from vrpsam_app.data.scene_shapes import (
    ShapeFamily,
    border_distance,
    curve_patch,
    polygon_patch,
    random_family,
    tessellation,
    wandering_curve,
)
from vrpsam_app.data.scene_textures import (
    FloatArray,
    distinct_colour,
    random_colour,
    random_texture,
    smooth_noise,
)


def creatures(rng: np.random.Generator) -> SceneWorld:
    """Show bodies with head, limbs and markings; classes differ in build or coat, not in pose."""
    ground_colour = random_colour(rng)
    ground = random_texture(rng, colour=ground_colour, patterns=GROUNDS, period=(6.0, 60.0))
    colours: list[FloatArray] = [ground_colour]
    builds = []
    for _ in range(int(rng.integers(1, 4))):
        colours.append(distinct_colour(rng, colours, rng.uniform(0.15, 0.4)))
        coat = random_material(rng, colours[-1], motley_share=0.4)
        second = coat if rng.random() < 0.5 else random_material(rng, random_colour(rng))
        body = random_family(rng, ("ellipse", "blob", "rod", "polygon"), hole_share=0.0)
        head = random_family(rng, ("ellipse", "polygon", "drop", "star"), hole_share=0.0)
        limbs = int(rng.integers(0, 5))
        thick = float(rng.uniform(0.12, 0.35))
        reach = float(rng.uniform(0.7, 1.5))
        builds.append((body, head, coat, second, limbs, thick, reach, rng.uniform(0.35, 0.65)))
    radius, count = float(rng.uniform(0.05, 0.14)), float(rng.uniform(1.5, 5.0))
    clutter = ObjectKind(
        0, random_family(rng), random_material(rng, random_colour(rng)), 0.05, rng.uniform(0, 6)
    )
    moving = bool(rng.random() < 0.5)

    def draw(canvas: Canvas, rng: np.random.Generator, view: View) -> None:
        size = view.size
        canvas.ground(rng, elsewhere(rng, colours[1:]) if moving else ground)
        draw_objects(canvas, rng, view, [clutter])
        owners = [i for i in range(len(builds)) for _ in range(view.count(rng, count, i + 1))]
        sizes = radius * size * view.scale * np.exp(rng.normal(0.0, 0.2, len(owners)))
        centres, index = scatter(rng, size, sizes, spacing=1.1)
        for centre, which in zip(centres, index, strict=True):
            owner, unit = owners[which], float(sizes[which])
            body, head, coat, second, limbs, thick, reach, head_size = builds[owner]
            facing = rng.normal(0.0, 0.35) + (np.pi if rng.random() < 0.5 else 0.0)
            number = canvas.shape(rng, body, centre, unit, coat, owner + 1, angle=facing)
            if number == 0:
                continue
            for limb in range(limbs):
                # Limbs fan out below the body, each bent a little differently in every pose.
                lean = (limb + 0.5) / limbs - 0.5
                start = centre + unit * np.array([1.4 * lean, 0.3])
                heading = 0.5 * np.pi + rng.normal(0.0, 0.3)
                bone = wandering_curve(rng, start, heading, reach * unit, wiggle=0.3)
                patch = curve_patch([(bone, 2 * thick * unit, thick * unit)], size)
                if patch is not None:
                    canvas.paint(rng, patch, second, owner + 1, instance=number, gain=0.9)
            along = np.array([np.cos(facing), np.sin(facing)])
            up = np.array([0.0, -0.6]) + rng.normal(0.0, 0.1, 2)
            spot = centre + unit * (1.1 * along + up)
            canvas.shape(rng, head, spot, head_size * unit, coat, owner + 1, instance=number)
            mark = centre + unit * rng.uniform(-0.3, 0.3, 2)
            canvas.shape(rng, head, mark, 0.35 * unit, second, owner + 1, instance=number)

    names = tuple(SceneClass(f"creature {i + 1}") for i in range(len(builds)))
    return SceneWorld(names, draw, 0.15)


def land_from_above(rng: np.random.Generator) -> SceneWorld:
    """Show fields between roads, with roofs and water: nets, blocks and regions in one picture."""
    colours: list[FloatArray] = []
    fields = []
    for _ in range(3):
        colours.append(distinct_colour(rng, colours, 0.15))
        fields.append(
            random_texture(
                rng, colour=colours[-1], patterns=("stripes", "clouds", "grain", "bark", "marble")
            )
        )
    for _ in range(3):
        colours.append(distinct_colour(rng, colours, 0.25))
    road = random_texture(rng, colour=colours[3], contrast=0.05, patterns=("grain", "flat"))
    water = random_texture(rng, colour=colours[4], contrast=0.05, patterns=("clouds", "flat"))
    roof = Material(
        random_texture(rng, colour=colours[5], contrast=rng.uniform(0.03, 0.15)),
        light=float(rng.uniform(-0.3, 0.3)),
        vary=float(rng.uniform(0.0, 0.25)),
    )
    block = ShapeFamily("polygon", corners=4, aspect=float(rng.uniform(1.0, 2.2)), irregularity=0.0)
    roofs = ObjectKind(
        2, block, roof, float(rng.uniform(0.02, 0.06)), float(rng.uniform(5, 30)), shadow=0.4
    )
    blocks_wide, width = float(rng.uniform(2.0, 5.0)), float(rng.uniform(1.5, 6.0))
    flooded = float(rng.uniform(0.7, 1.4))

    def draw(canvas: Canvas, rng: np.random.Generator, view: View) -> None:
        size = view.size
        count = max(4, round((blocks_wide / view.scale) ** 2))
        cells = tessellation(rng, size, count, warp=rng.uniform(0.0, 0.08) * size)
        owner = rng.integers(0, 3, int(cells.max()) + 1)[cells]
        for index, texture in enumerate(fields):
            canvas.rgb[owner == index] = texture.render(rng, size)[owner == index]
        reach = max(1.2, width * view.scale) / 2.0
        if 1 not in view.absent:
            distance = border_distance(cells)
            amount = np.clip(reach + 0.5 - distance, 0.0, 1.0)[..., None]
            canvas.rgb += amount * (canvas.tile(rng, road) - canvas.rgb)
            canvas.mark_region(distance <= reach, 1)
        if 3 not in view.absent:
            level = smooth_noise(rng, size, 0.35 * size * view.scale)
            pool = level > min(flooded, float(np.quantile(level, 0.93)))
            canvas.rgb[pool] = canvas.tile(rng, water)[pool]
            canvas.mark_region(pool, 3)
        draw_objects(canvas, rng, view, [roofs], spacing=0.9)

    classes = (
        SceneClass("road", instances=False),
        SceneClass("roof"),
        SceneClass("water", instances=False),
    )
    return SceneWorld(classes, draw, 0.15)


def bubbles(rng: np.random.Generator) -> SceneWorld:
    """Show rings whose inside looks like the ground, and filled discs of the same border."""
    ground_colour = random_colour(rng)
    ground = random_texture(rng, colour=ground_colour, patterns=GROUNDS)
    rim_colour = distinct_colour(rng, [ground_colour], 0.35)
    rim = Material(random_texture(rng, colour=rim_colour, contrast=0.06), light=0.2, vary=0.1)
    fill_colour = rim_colour if rng.random() < 0.5 else distinct_colour(rng, [ground_colour])
    fill = Material(random_texture(rng, colour=fill_colour, contrast=0.1), vary=0.1)
    family = random_family(rng, ("ellipse", "blob", "polygon", "drop"), hole_share=0.0)
    radius, count = float(rng.uniform(0.04, 0.13)), float(rng.uniform(4, 20))
    wall = float(rng.uniform(1.2, 3.0))
    spacing = float(rng.uniform(0.6, 1.05))

    def draw(canvas: Canvas, rng: np.random.Generator, view: View) -> None:
        size = view.size
        canvas.ground(rng, ground)
        owners = [k for k in (1, 2) for _ in range(view.count(rng, count / k, k))]
        sizes = radius * size * view.scale * np.exp(rng.normal(0.0, 0.3, len(owners)))
        sizes = np.maximum(sizes, 3.0)
        centres, index = scatter(rng, size, sizes, spacing=spacing)
        for centre, which in zip(centres, index, strict=True):
            outline = family.outline(rng, float(sizes[which])) + centre
            whole = polygon_patch(outline, size)
            if whole is None:
                continue
            number = canvas.mark(whole, owners[which])
            if owners[which] == 2:
                canvas.paint(rng, whole, fill, 2, instance=number)
            loop = np.concatenate([outline, outline[:1]])
            edge = curve_patch([(loop, wall, wall)], size)
            if edge is not None:
                canvas.paint(rng, edge, rim, owners[which], instance=number)

    return SceneWorld((SceneClass("bubble"), SceneClass("filled disc")), draw, 0.4)
