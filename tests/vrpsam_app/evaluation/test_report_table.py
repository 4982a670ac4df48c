from __future__ import annotations

from vrpsam_app.evaluation.report_table import Entry, ReportTable

TABLE = ReportTable(
    "Of <things>",
    "Counted & weighed.",
    ["data", "a|b"],
    [
        [Entry("<cells>", tone="head"), Entry("0.5", "0.4 to 0.6", "best")],
        [Entry("wood", small="n=2", tone="head"), Entry("x|y", tone="bad")],
    ],
)


def test_html_is_escaped_and_toned():
    page = TABLE.to_html()
    assert "<h3>Of &lt;things&gt;</h3>" in page
    assert "<p>Counted &amp; weighed.</p>" in page
    assert (
        '<th scope="row">&lt;cells&gt;</th><td class="best">0.5 <small>0.4 to 0.6</small></td>'
        in page
    )
    assert '<th scope="row">wood <small>n=2</small></th><td class="bad">x|y</td>' in page


def test_a_folded_table_shows_its_title():
    page = TABLE.to_html(folded=True)
    assert page.startswith("<details><summary><h3>Of &lt;things&gt;</h3></summary>")
    assert page.endswith("</details>")
    assert page.count("<tr>") == TABLE.to_html().count("<tr>") == 3


def test_markdown_keeps_bars_apart():
    assert TABLE.to_markdown() == (
        "### Of <things>\n\nCounted & weighed.\n\n| data | a\\|b |\n| --- | --- |\n"
        "| <cells> | **0.5** 0.4 to 0.6 |\n| wood n=2 | x\\|y |\n"
    )
