"""Part masks drawn from hand fits. Hands are posed once per frame, in batches, and serve all cameras that see it."""

from collections.abc import Callable, Iterator

import numpy as np

from digit import geometry
from digit.config import Config
from digit.hand.mano import Hands
from digit.hand.mesh import VERTEX_COUNT, seal
from digit.parts.mask import PartMask
from digit.samples.fits import mean_over_valid
from digit.samples.index import SplitIndex
from digit.skeleton import FIRST_LABEL, HANDS, JOINTS_PER_HAND, LABEL_NAMES, PARTS_PER_HAND
from digit.store.masks import encode_mask, pixels_per_hand

FRAMES_PER_GROUP = 256
LabelMask = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, int, int], np.ndarray]


def label_mask_of(config: Config) -> LabelMask:
    """The rasteriser of ``parts.backend``.

    Raises:
        UserError: when pyrender finds no OpenGL.
    """
    if config.parts.backend == "pyrender":
        from digit.render.gl import label_mask_gl

        return label_mask_gl
    from digit.render.raster import label_mask

    return label_mask


def draw_masks(
    index: SplitIndex, rows: np.ndarray, places: np.ndarray, hands: Hands, label_mask: LabelMask
) -> Iterator[PartMask]:
    """Draw the masks of some samples of a shard, in the order of their places.

    Args:
        index: of the split.
        rows: (n,) index rows of the shard, sorted by frame.
        places: which of them to draw.
        hands: models of both hands.
        label_mask: the rasteriser.
    """
    frames = index.frame_row[rows[places]]
    every_frame = np.unique(frames)
    faces, labels = joined_faces(hands)
    for start in range(0, len(every_frame), FRAMES_PER_GROUP):
        group = every_frame[start : start + FRAMES_PER_GROUP]
        meshes_world_mm, fitted, distances_mm = pose_frames(index, group, hands)
        low, high = np.searchsorted(frames, [group[0], group[-1] + 1])
        mine, members = places[low:high], np.searchsorted(group, frames[low:high])
        valid = index.joint_valid[rows[mine]] & index.joints_world_valid[group[members]]
        valid &= np.repeat(fitted[members], JOINTS_PER_HAND, 1)
        errors_mm = mean_over_valid(distances_mm[members], valid)
        for place, member, error_mm in zip(mine.tolist(), members, errors_mm, strict=True):
            shown, png, pixels = fitted[member], None, np.zeros(2, np.int32)
            if shown.any():
                which = 2 if shown.all() else int(shown[1])
                vertices_world_mm = meshes_world_mm[member][shown].reshape(-1, 3)
                mask = _draw(index, rows[place], vertices_world_mm, faces[which], labels[which], label_mask)
                pixels = pixels_per_hand(mask, FIRST_LABEL[1])
                assert mask.max() < len(LABEL_NAMES) and not pixels[~shown].any(), "a label without a hand"
                png = encode_mask(mask)
            yield PartMask(place, png, shown, error_mm, pixels)


def _draw(
    index: SplitIndex,
    row: int,
    vertices_world_mm: np.ndarray,
    faces: np.ndarray,
    labels: np.ndarray,
    label_mask: LabelMask,
) -> np.ndarray:
    """Draw a mesh as the camera of an index row sees it: (H, W) uint8 labels."""
    camera = index.camera_row[row]
    vertices_cam_mm = geometry.world_to_camera(vertices_world_mm, index.rotation[camera], index.position_mm[camera])
    focal_px, princpt_px = index.focal_px[camera], index.princpt_px[camera]
    return label_mask(
        vertices_cam_mm, faces, labels, focal_px, princpt_px, int(index.width[row]), int(index.height[row])
    )


def pose_frames(
    index: SplitIndex, frames: np.ndarray | slice, hands: Hands
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pose both hands in some frames.

    Returns:
        (g, 2, 779, 3) sealed meshes in the world, mm; (g, 2) bool, the hand has a fit and it is finite; (g, 42)
        distance of regressed and annotated joints, mm. What has no fit is NaN.
    """
    fitted = np.array(index.mano_valid[frames])
    meshes = np.full((*fitted.shape, VERTEX_COUNT + 1, 3), np.nan)
    distances_mm = np.full((len(fitted), 2, JOINTS_PER_HAND), np.nan)
    annotated = index.joints_world_mm[frames].reshape(-1, 2, JOINTS_PER_HAND, 3)
    for side, name in enumerate(HANDS):
        members = np.flatnonzero(fitted[:, side])
        parameters = (index.mano_pose, index.mano_shape, index.mano_trans_m)
        vertices = hands[name].vertices_world_mm(*(values[frames][members, side] for values in parameters))
        finite = np.isfinite(vertices).all(axis=(1, 2))
        fitted[members[~finite], side] = False
        meshes[members, side] = seal(vertices)
        joints = hands[name].joints_world_mm(vertices)
        distances_mm[members, side] = np.linalg.norm(joints - annotated[members, side], axis=-1)
    return meshes, fitted, distances_mm.reshape(-1, 2 * JOINTS_PER_HAND)


def joined_faces(hands: Hands) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Faces and their labels of the right hand alone, the left hand alone, and both one after the other."""
    for hand, low in zip((hands.right, hands.left), FIRST_LABEL, strict=True):
        if hand.face_labels.min() < low or hand.face_labels.max() >= low + PARTS_PER_HAND:
            raise ValueError(f"labels of the {hand.side} hand must be {low}..{low + PARTS_PER_HAND - 1}")
    right, left = hands.right.sealed_faces, hands.left.sealed_faces
    faces = (right, left, np.concatenate([right, left + VERTEX_COUNT + 1]))
    labels = (hands.right.face_labels, hands.left.face_labels)
    return faces, (*labels, np.concatenate(labels))
