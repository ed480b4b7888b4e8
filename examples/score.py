"""A network's errors on a prepared split: python examples/score.py config.yaml test best.ckpt.

Poses of any other method do as well: a `digit.Pose` for each of `dataset.names`, in px of the image.
"""

import sys

from torch.utils.data import DataLoader

import digit

config, split, weights = sys.argv[1:]
dataset = digit.open_dataset(config, split)
predictor = digit.load_model(weights)

scores = digit.evaluate(predictor.samples(DataLoader(dataset, batch_size=16)), dataset)
for name in ("mpjpe_sh", "mpjpe_ih", "mpjpe_all", "mrrpe", "handedness_accuracy", "part_iou"):
    print(name, scores["metrics"][name], scores["interval_95"][name])
