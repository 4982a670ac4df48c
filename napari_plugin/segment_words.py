"""What the segment widget says: of an answer, of a run, of what went wrong."""

from __future__ import annotations

from napari_plugin.preview import LiveAnswer
from napari_plugin.questions import Doing
from napari_plugin.result_record import ResultRecord
from vrpsam_app.errors import VRPSAMError
from vrpsam_app.methods.suggestion import suggestion_for
from vrpsam_app.progress import in_words


def live_words(answer: LiveAnswer) -> str:
    """Say what was found in the visible slice, and how long all slices would take."""
    found = []
    for label, prediction in answer.predictions.items():
        name = "" if len(answer.predictions) == 1 else f"{label}: "
        if prediction.present:
            found.append(f"{name}found, expected overlap {prediction.score:.2f}")
        else:
            found.append(f"{name}not in this slice ({prediction.presence:.2f} sure that it is)")
    count = answer.question.planes.stack.plane_count
    device = f" on {answer.ready.device}" if answer.ready.device else ""
    took = f"{answer.seconds:.1f} s{device}"
    if count > 1 and answer.most_seconds is not None:
        words = in_words(count * answer.most_seconds)
        took += f"; all {count} slices: {'' if words.startswith('less') else 'at most '}{words}"
    better = suggestion_for(answer.predictions.values(), answer.ready.made_by)
    advice = "" if better is None else f" {better} Choose it under Advanced."
    return f"{'; '.join(found)}. {took}.{advice}"


def run_words(record: ResultRecord) -> str:
    """Say what a run has done."""
    total, done = record.planes.stack.plane_count, len(record.findings)
    if not done:
        return "Stopped before anything was found. The same button begins again."
    found = sum(finding.present for finding in record.findings.values())
    kept = len(record.edited)
    text = f"Found in {found} of {done} slices." if total > 1 else "Done."
    if done < total:
        left = "One slice is" if total - done == 1 else f"{total - done} slices are"
        text += f" {left} not done; the same button goes on."
    if kept:
        text += f" {'One edited slice' if kept == 1 else f'{kept} edited slices'} left as they are."
    return text


def progress_words(told: object) -> str:
    """Say how far a run is."""
    if isinstance(told, str | Doing):
        text = str(told)
        return f"{text[:1].upper()}{text[1:]} ..."
    return str(told)


def error_words(error: Exception) -> str:
    """Say what went wrong; of an error that nobody foresaw also its kind."""
    return str(error) if isinstance(error, VRPSAMError) else f"{type(error).__name__}: {error}"
