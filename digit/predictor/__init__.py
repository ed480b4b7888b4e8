"""From pictures to poses, for everything that predicts: the command line, other programs, training, the report.

- :mod:`pictures`: users' pictures, decoded upright; :mod:`inputs`: finding them in folders
- :mod:`boxes`: hand boxes, and the square that is cropped
- :mod:`predictor`: a network that takes pictures, or samples of a data set, and gives poses
- :mod:`readout`: what a network's answer means in px and mm, the one place that knows
- :mod:`engine`: what users want of pictures: boxes that find themselves, several crops of a picture, one result each
- :mod:`picture_files`: picture files in, result files out
- :mod:`camera`: focal length and principal point, as far as they are known
- :mod:`camera_space`: hands before the camera, as far away as their size says
- :mod:`record`: a result as JSON
- :mod:`pose`: the answer for one picture, drawn or as JSON
- :mod:`results`: result files, which never replace a file of anybody else's
- :mod:`scoring`: poses measured against a data set
"""
