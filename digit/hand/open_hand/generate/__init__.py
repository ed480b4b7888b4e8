"""How the frozen open hand was made: run ``python -m digit.hand.open_hand.generate``. Needs scikit-image.

- :mod:`surface`: the skin as a signed distance function
- :mod:`remesh`, :mod:`editable`: that function as a mesh of exactly 778 vertices
- :mod:`rig`: vertex order, skinning weights, shape space, joint regressor
- :mod:`correctives`: what skinning lacks around a bent joint
- :mod:`build`: all of it put together
"""
