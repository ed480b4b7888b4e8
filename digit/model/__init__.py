"""The network, its losses and its weights.

- :mod:`create`: networks by ``model.architecture``; a new one is one module and one line here
- :mod:`digit`: DIGIT, made of :mod:`backbone`, :mod:`unet` and :mod:`segmentation`; :mod:`internet`: the baseline
- :mod:`backbone`: image encoders by ``model.backbone``: HRNet, or any network of timm with a neck (:mod:`pyramid`);
  :mod:`pretrained`: their ImageNet weights
- :mod:`network`: what all networks take and give
- :mod:`losses`; :mod:`module`: losses, optimiser and schedule for Lightning
- :mod:`inference`: running a network over batches
- :mod:`weights`: networks from checkpoints of all kinds, of which :mod:`weights_file` and :mod:`halves` read the files;
  :mod:`shipped`: weights that come with the package
- :mod:`onnx_export`: a network as an ONNX file
- :mod:`flops`: what a pass costs
"""
