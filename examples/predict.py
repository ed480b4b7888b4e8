"""The hands of a picture: python examples/predict.py best.ckpt hand.jpg overlay.png."""

import sys

from PIL import Image

import digit

weights, picture, overlay = sys.argv[1:]
predictor = digit.load_model(weights)
image = digit.read_picture(picture)

(pose,) = predictor([image])  # several pictures at once; boxes=[(x, y, width, height), ...] around the hands
for hand, there, probability in zip(("right", "left"), pose.present(), pose.hand_probability, strict=True):
    print(f"{hand} hand: {'there' if there else 'absent'} ({probability:.2f})")
x, y = pose.joints_px[20]
print(f"right wrist at ({x:.0f}, {y:.0f}) px")
Image.fromarray(pose.draw(image)).save(overlay)
