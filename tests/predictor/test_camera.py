"""What is known of the camera."""

import numpy as np
import pytest

from digit.predictor.camera import Intrinsics
from digit.run.errors import UserError


def test_a_field_of_view_is_assumed_across_the_longer_side():
    for size in ((640, 480), (480, 640)):
        camera = Intrinsics.of(*size)
        assert np.degrees(2 * np.arctan(320 / camera.focal_px)) == pytest.approx(60)
        np.testing.assert_allclose(camera.princpt_px, (np.array(size) - 1) / 2)
        assert camera.focal_from == "assumed field of view of 60 degrees"
    given = Intrinsics.of(640, 480, 700)
    assert given.focal_px.tolist() == [700, 700] and given.focal_from == "given"


@pytest.mark.parametrize("focal", [0, -1, float("nan"), float("inf")])
def test_what_is_no_focal_length_is_named(focal):
    with pytest.raises(UserError, match="give a positive number of px"):
        Intrinsics.of(640, 480, focal)
