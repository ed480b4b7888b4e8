"""What the HTML pages share (the report, the gallery of predictions, ``digit serve``): one look, one 3D viewer.

- :mod:`inline`: pictures, colours and data as text that a page can hold
- :mod:`files`: where the page of a run of predict and its pictures lie, and whose a file there is
- :mod:`views`: pictures as a browser shows them
- :mod:`entry`: what a page shows of one predicted picture

``style.css`` is the look, ``viewer.js`` turns hands in 3D, ``overlay.js`` draws an entry over its picture.
"""
