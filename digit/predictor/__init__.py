"""From pictures to poses, for everything that predicts: the command line, other programs, training, the report.

- :mod:`pictures`: users' pictures, decoded upright; :mod:`inputs`: finding them in folders
- :mod:`boxes`: hand boxes, and the square that is cropped
- :mod:`predictor`: a network that takes pictures, or samples of a data set, and gives poses
- :mod:`readout`: what a network's answer means in px and mm, the one place that knows
- :mod:`engine`: what users want of pictures: boxes that find themselves, several crops of a picture, one result each
- :mod:`opening`: an engine from a file of weights, with the detector
- :mod:`picture_files`: picture files in, result files out
- :mod:`videos`: video files, frame by frame; :mod:`video_files`: video files in, result files out
- :mod:`following`: where to look in the next frame; :mod:`hand_tracks`: which hand is which, and smoothed
- :mod:`one_euro`: the filter that smooths; :mod:`stream`: frames as they come; :mod:`live`: those of a camera
- :mod:`pose_lines`: results as lines of JSON, and back; :mod:`overlay_video`: videos with hands drawn over them
- :mod:`camera`: focal length and principal point, as far as they are known
- :mod:`camera_space`: hands before the camera, as far away as their size says
- :mod:`record`: a result as JSON
- :mod:`hand_meshes`: the hand model fitted to results, and its files
- :mod:`pose`: the answer for one picture, drawn or as JSON
- :mod:`results`: result files, which never replace a file of anybody else's
- :mod:`scoring`: poses measured against a data set
"""
