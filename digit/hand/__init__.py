"""Hand models: MANO, meshes, the open hand."""
