"""The embedded data set, in the layout of InterHand2.6M's release.

- :mod:`plan`: which frames show which hands to which cameras; :mod:`subjects`, :mod:`cameras`: whose and from where
- :mod:`poses`, :mod:`contact`: hands in the world that touch without passing through each other
- :mod:`scene`, :mod:`forearm`, :mod:`lighting`: the surfaces of a frame and the light on them
- :mod:`backdrop`, :mod:`photograph`: what is behind the hands, and the camera's picture
- :mod:`annotate`, :mod:`release`: what annotators would have written, and the release's files
- :mod:`rich`: variety ``rich``, put together from poses (:mod:`interaction`, :mod:`arms`, :mod:`gestures`), people
  (:mod:`person`, :mod:`outfit`), things (:mod:`props`, made of :mod:`solids`), light (:mod:`illumination`,
  :mod:`ambient`), surroundings (:mod:`panoramas`, :mod:`scenery`) and cameras of any kind (:mod:`lens`)

It may import ``hand/`` and ``render/``; only the stage ``synthesize`` imports it.
World frame as in InterHand2.6M: mm, y down, the subject about a metre along +z from the origin.
"""
