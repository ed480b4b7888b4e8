"""The network, its losses and its weights.

- :mod:`create`: networks by their settings; a new architecture is one module and one line here
- :mod:`digit`: DIGIT, made of :mod:`backbone`, :mod:`unet` and :mod:`segmentation`; :mod:`internet`: the baseline
- :mod:`network`: what all of them take and give
- :mod:`losses`; :mod:`module`: losses, optimiser and schedule for Lightning
- :mod:`inference`: running a network over batches
- :mod:`weights`: checkpoints of all kinds, read; :mod:`onnx_export`: a network, written
- :mod:`flops`: what a pass costs
"""
