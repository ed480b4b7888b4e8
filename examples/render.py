"""Part masks of two posed hands: python examples/render.py open mask.png, or with the folder of MANO's files."""

import sys

from PIL import Image

import digit
from digit.figures import color_mask

folder, picture = sys.argv[1:]
hands = digit.load_hands(folder)
turned = (-1.57, *[0] * 47)  # the whole hand about x; the other 45 numbers would bend the fingers
right = digit.pose_hand(hands["right"], turned, trans_m=(0.08, 0, 0.6))
left = digit.pose_hand(hands["left"], turned, trans_m=(-0.08, 0, 0.6))

camera = digit.Camera(focal_px=(400, 400), princpt_px=(160, 120), width=320, height=240)
labels = digit.render_parts([right, left], camera)  # (240, 320) uint8, 0 background, 1-16 right, 17-32 left
print(f"{(labels > 0).mean():.1%} of the picture show a hand, in {len(set(labels[labels > 0].tolist()))} parts")
Image.fromarray(color_mask(labels)).save(picture)
