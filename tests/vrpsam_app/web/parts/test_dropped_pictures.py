"""What is dropped or pasted on a component: which files reach its upload button."""

from __future__ import annotations

import pytest

FILES = """(kind) => {
  const input = document.createElement('input');
  input.type = 'file';
  input.multiple = true;
  input.id = 'none';
  input.onchange = () => { window.taken = [...input.files].map((file) => file.name); };
  document.body.append(input);
  const transfer = new DataTransfer();
  for (const name of ['a.png', 'b.tif', 'c.mp4', 'd.txt']) {
    transfer.items.add(new File(['x'], name, { type: name === 'a.png' ? 'image/png' : '' }));
  }
  const how = { bubbles: true, cancelable: true };
  const event = kind === 'drop'
    ? new DragEvent('drop', { dataTransfer: transfer, ...how })
    : new ClipboardEvent('paste', { clipboardData: transfer, ...how });
  document.querySelector('.stage > canvas').focus();
  document.querySelector('.stage > canvas').dispatchEvent(event);
  return window.taken;
}"""


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_dropped_and_pasted_files_go_to_the_upload_button(board, canvas, kind):
    assert board().page.evaluate(FILES, kind) == ["a.png", "b.tif", "c.mp4"]
    assert canvas().page.evaluate(FILES, kind) == ["a.png", "b.tif"]
