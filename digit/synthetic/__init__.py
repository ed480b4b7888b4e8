"""The embedded data set: subjects, two-handed poses, cameras, light, photographs, and the release's files.

This folder stands on top of ``hand/`` and ``render/`` and may import them; nothing but the stage imports it.
World frame as in InterHand2.6M: mm, y down, the subject about a metre along +z from the origin.
"""
