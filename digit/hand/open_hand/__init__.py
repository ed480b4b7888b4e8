"""The open hand: a procedural hand in MANO's layout, embedded in the package.

- :mod:`anatomy`: its bones: where joints are, which way they bend, how thick the flesh is
- :mod:`model`: the frozen hand, ``open_right.npz``, unfolded to the arrays of a MANO model
- :mod:`posing`: poses it can take, named and random
- :mod:`skin`, :mod:`paint`: a finer surface to render, and its colours
- :mod:`generate`: how the frozen file was made
"""
