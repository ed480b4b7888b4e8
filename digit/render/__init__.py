"""Pictures of meshes.

- :mod:`raster`: label masks by a z-buffer, compiled; needs no OpenGL
- :mod:`gl`: the same by pyrender, the reference that tests compare with
- :mod:`shading`: shaded, coloured images for the embedded data set
"""
