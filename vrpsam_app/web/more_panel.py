"""What most visitors never open: other models, saved results, the same as code."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from vrpsam_app.web import model_words
from vrpsam_app.web.limits import on_space
from vrpsam_app.web.model import Choice, device_names, method_names

CUTS = (
    ("cut apart at their necks", "distance"),
    ("cut apart between bright places", "intensity"),
    ("cut apart where the model is unsure", "probability"),
    ("stay one object", "components"),
)


@dataclass(frozen=True, slots=True)
class MorePanel:
    """The components of the panel.

    `model` chooses from the list, `other_model` takes any name or folder where that is allowed;
    `use_model` loads what is chosen, after a download if need be. `about_model` says how large it
    is and under which licence, before anything is fetched. `project` opens a zip that was saved
    here.
    """

    model: gr.Dropdown
    other_model: gr.Textbox
    about_model: gr.HTML
    method: gr.Dropdown
    device: gr.Dropdown
    use_model: gr.Button
    touching: gr.Dropdown
    project: gr.UploadButton
    show_code: gr.Button
    command: gr.Code
    python: gr.Code


def build_more_panel() -> MorePanel:
    """Put the panel together; it is closed at first."""
    strangers = on_space()
    with gr.Accordion("Model, projects, code", open=False, elem_id="more"), gr.Row():
        with gr.Column(min_width=280):
            model = gr.Dropdown(
                model_words.model_choices(),
                value=Choice().model,
                label="Model",
                elem_id="model",
            )
            other_model = gr.Textbox(
                label="or any other",
                placeholder="organisation/name on the Hub, or a folder",
                visible=not strangers,
                elem_id="other-model",
                max_lines=1,
            )
            method = gr.Dropdown(
                model_words.method_choices(method_names()),
                value=Choice().method,
                label="Method",
                elem_id="method",
            )
            device = gr.Dropdown(
                device_names(),
                value=Choice().device,
                label="Runs on",
                elem_id="device",
                visible=len(device_names()) > 2,
            )
            about_model = gr.HTML(
                model_words.paragraph(model_words.about(Choice().model)),
                elem_id="about-model",
                apply_default_css=False,
            )
            use_model = gr.Button("Use it", size="sm", elem_id="use-model")
        with gr.Column(min_width=280):
            touching = gr.Dropdown(
                list(CUTS),
                value=CUTS[0][1],
                label="Touching objects",
                info="In the numbered objects and the measurements that are saved.",
                elem_id="touching",
            )
            project = gr.UploadButton(
                "Open saved results", file_types=[".zip"], size="sm", elem_id="open-project"
            )
            show_code = gr.Button("Show this as code", size="sm", elem_id="show-code")
        with gr.Column(min_width=320, scale=2):
            command = gr.Code(
                label="Command line",
                language="shell",
                max_lines=10,
                elem_id="command",
                visible=False,
            )
            python = gr.Code(
                label="Python",
                language="python",
                max_lines=14,
                elem_id="python",
                visible=False,
            )
    return MorePanel(
        model=model,
        other_model=other_model,
        about_model=about_model,
        method=method,
        device=device,
        use_model=use_model,
        touching=touching,
        project=project,
        show_code=show_code,
        command=command,
        python=python,
    )
