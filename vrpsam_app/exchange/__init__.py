"""Objects exchanged with other programs: one module for each format, the same objects in all.

==============  =====================  ======================================================
format          read by                what is kept
==============  =====================  ======================================================
label image     napari, Cellpose, ...  pixels, numbers; classes in the table beside it
COCO            pycocotools            pixels (runs, or polygons), numbers, classes, scores
ImageJ regions  ImageJ, roifile        pixels, numbers, classes, slice and frame
GeoJSON         QuPath, shapely        pixels, numbers, classes, scores, slice and time
LabelMe         LabelMe                pixels (masks, or polygons), numbers, classes
YOLO            Ultralytics            pixels, classes, the order of numbers
==============  =====================  ======================================================

Outlines run along the edges of pixels, with their holes and pieces, so that what is written reads
back equal, pixel by pixel. Programs that draw polygons by rules of their own differ at the rim:
LabelMe and Ultralytics take the pixels that an edge touches as well.
"""
