"""Batches of a prepared split for a network of your own: python examples/dataset.py config.yaml train."""

import sys

from torch.utils.data import DataLoader

import digit

config, split = sys.argv[1:]
dataset = digit.open_dataset(config, split)
print(f"{len(dataset)} samples of {split}, the first is {dataset.names[0]}")

for batch in DataLoader(dataset, batch_size=4, shuffle=True):
    images = batch["image"].permute(0, 3, 1, 2) / 255  # (B, 3, S, S), RGB in [0, 1]
    joints = batch["joint_coord"]  # (B, 42, 3) in heat-map cells; batch["joint_valid"] says which are annotated
    masks = batch["segm"]  # (B, S/2, S/2) part labels; batch["segm_valid"] says which samples have one
    print(tuple(images.shape), tuple(joints.shape), tuple(masks.shape))
    break
