"""The napari plugin: annotate one slice, get the stack.

Thin on ``vrpsam_app``: layers go in as stacks and references, answers come out as layers.

==========================================  =======================================================
``session``                                 what one viewer has: references, model, results
``reference_items``, ``result_record``      one reference of the list; what a result layer is
``model_choice``, ``preferences``           which model answers; what napari's settings say
``layer_planes``, ``layer_annotations``     image layers -> stacks; marks on layers -> references
``workers``                                 work beside the window, stopped with it
``segment_*``, ``preview``, ``result_*``    the segment widget, the live answer, runs and layers
==========================================  =======================================================

Nothing is imported here, and torch nowhere before a model is asked.
"""
