"""What the review panel says about the planes of a result, as words and as bars."""

from __future__ import annotations

from napari_plugin.layer_planes import Index
from napari_plugin.result_record import ResultRecord
from napari_plugin.review_strip import Bar


def words_of(record: ResultRecord, index: Index) -> str:
    """Say which plane it is, what was found in it, and what became of it."""
    parts = [record.planes.words(index)]
    finding = record.findings.get(index)
    if finding is None:
        parts.append("not answered yet")
    elif not finding.present:
        parts.append(f"nothing found (presence {finding.presence:.2f})")
    else:
        parts.append(f"expected overlap {finding.score:.2f}")
    if index in record.edited:
        parts.append("settled by hand")
    return " · ".join(part for part in parts if part)


def bar_of(record: ResultRecord, index: Index) -> Bar:
    """Return the bar of a plane."""
    finding = record.findings.get(index)
    return Bar(
        words=words_of(record, index),
        doubt=None if finding is None else finding.doubt,
        present=finding is not None and finding.present,
        edited=index in record.edited,
        group=hash(index[:-1]),
    )


def legend_of(record: ResultRecord, index: Index) -> str:
    """Return what stands below the bars: the shown plane, and how far the review is."""
    total = record.planes.stack.plane_count
    words = words_of(record, index)
    return f"{words}\n{len(record.edited)} of {total} settled" if total > 1 else words
