"""Pictures of hands: label masks and shaded images."""
