"""The open hand: a procedural hand in MANO's layout, embedded in the package."""
