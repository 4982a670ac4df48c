"""Colours, type and spacing of the page, for light and dark."""

from __future__ import annotations

from gradio.themes import Base
from gradio.themes.utils.colors import Color
from gradio.themes.utils.fonts import LocalFont

from vrpsam_app.web.page_files import read_page_files

# Warm greys, so that a grey picture on the page is the only thing that is neutral.
PAPER = Color(
    "#fbfaf7", "#f5f3ee", "#e8e4db", "#d6d0c4", "#aaa396", "#7d766a",
    "#5f594f", "#454039", "#2a2723", "#1c1a17", "#131210", name="paper",
)  # fmt: skip
# Around the blue of the colour-blind safe palette in which results are drawn.
BLUE = Color(
    "#eef6fb", "#d8eaf5", "#b3d7ec", "#82bde0", "#4a9fd0", "#1f82bb",
    "#0a6aa1", "#0a5684", "#0b466a", "#0c3852", "#06202f", name="blue",
)  # fmt: skip


def page_theme() -> Base:
    """Return the Gradio theme; its fonts come with gradio, so nothing is fetched."""
    # Bold stands in for semibold: gradio's semibold file lacks most letters.
    sans = LocalFont("IBM Plex Sans", weights=(400, 700))
    theme = Base(
        primary_hue=BLUE,
        secondary_hue=BLUE,
        neutral_hue=PAPER,
        radius_size="md",
        font=[sans, "system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    )
    return theme.set(
        body_background_fill="*neutral_100",
        body_background_fill_dark="*neutral_950",
        body_text_color="*neutral_900",
        body_text_color_dark="*neutral_200",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        background_fill_primary="white",
        background_fill_primary_dark="*neutral_900",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_border_width_dark="0px",
        block_padding="0px",
        block_shadow="none",
        border_color_primary="*neutral_200",
        border_color_primary_dark="*neutral_800",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_400",
        button_primary_background_fill_hover_dark="*primary_300",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        button_secondary_background_fill="transparent",
        button_secondary_background_fill_hover="*neutral_100",
        button_secondary_background_fill_dark="transparent",
        button_secondary_background_fill_hover_dark="*neutral_800",
        button_secondary_border_color="*neutral_300",
        button_secondary_border_color_dark="*neutral_700",
        button_border_width="1px",
        block_info_text_size="13px",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_400",
        input_background_fill="white",
        input_background_fill_dark="*neutral_950",
        input_border_width="1px",
        input_border_color="*neutral_300",
        input_border_color_dark="*neutral_700",
        block_label_text_weight="400",
        form_gap_width="0px",
        slider_color="*primary_600",
        slider_color_dark="*primary_400",
        checkbox_background_color_selected="*primary_600",
        checkbox_background_color_selected_dark="*primary_500",
        checkbox_border_color="*neutral_400",
    )


def page_css() -> str:
    """Return the style sheets of the page."""
    return read_page_files("style.css", "canvas.css", "board.css")
