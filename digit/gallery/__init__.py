"""A run of ``digit predict`` as a page to look at, and its poses in the formats of other software.

- :mod:`records`: what pictures and frames of videos were found to show
- :mod:`page`: ``index.html``, from ``page.html``, ``style.css``, ``gallery.js`` and what :mod:`digit.pages` shares
- :mod:`meshes`: fitted hands for the page's 3D viewer
- :mod:`tables`: ``joints.csv`` and ``mano.npz``
- :mod:`coco`: ``keypoints.coco.json``
"""
