"""From pictures to poses, for everybody who predicts: the command line, programs of others, training, the report.

- :mod:`pictures`: pictures of users, decoded upright; :mod:`inputs`: finding them in folders
- :mod:`boxes`: hand boxes, and the square that is cropped
- :mod:`predictor`: a network that takes pictures, or samples of a data set, and gives poses
- :mod:`readout`: what a network's answer means in px and mm, the one place that knows
- :mod:`pose`: the answer for one picture, drawn or as JSON
- :mod:`results`: files of poses that never take the place of others
- :mod:`scoring`: poses measured against a data set
"""
