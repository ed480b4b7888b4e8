"""Hands fitted to predicted joints: MANO's parameters, meshes, files and shaded pictures of them.

- :mod:`fit`: :func:`~digit.mesh.fit.fit_hands` and its results
- :mod:`limits`: about which axes joints turn, how far, and which angles go together
- :mod:`chain`: the joints of a model as a function of its parameters, with derivatives, for many hands at once
- :mod:`targets`: how far joints are off, and how much each is to be believed
- :mod:`start`, :mod:`solver`: where a fit starts, and the steps that it takes
- :mod:`export`: ``.glb`` and ``.obj`` files
- :mod:`overlay`: shaded hands over their picture
"""
