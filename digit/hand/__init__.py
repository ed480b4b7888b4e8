"""Hands: their models, their meshes and their joints.

- :mod:`mano`: :func:`~digit.hand.mano.load_hands`, the one interface to hands of every kind
- :mod:`official`: the licensed MANO files, read without running anything in them
- :mod:`open_hand`: the embedded hand: anatomy, poses, skin, and how it was generated
- :mod:`mesh`: the topology that all of them share: sealing the wrist, parts of faces, regressed joints
"""
