"""Hands: their models, their meshes and their joints."""
