"""From an index and its stores to training samples.

- :mod:`index`: memory-mapped tables of one split; ``COLUMNS`` lists what a data set has to give
- :mod:`subsets`: the published subsets of a split
- :mod:`fits`: how well hand fits agree with annotated joints, and which are accepted
- :mod:`targets`: crop maps, joint targets in heat-map cells, validity
- :mod:`augment`: augmentation, drawn per sample and epoch
- :mod:`curriculum`: samples that a training sees first
- :mod:`spectrum`, :mod:`photographs`: amplitude spectra of photographs, mixed into crops
- :mod:`dataset`: samples, decoded, cropped and labelled a batch at a time
- :mod:`opening`: a split opened from what the stages prepared; :mod:`plain`: for other programs
"""
