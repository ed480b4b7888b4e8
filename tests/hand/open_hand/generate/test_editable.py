import numpy as np
import pytest
import trimesh

from digit.hand.open_hand.generate.editable import EditableMesh


def grid(size=7):
    """A curved sheet of triangles."""
    x, y = (a.ravel() for a in np.meshgrid(np.arange(size), np.arange(size), indexing="ij"))
    points = np.stack([x, y, 0.02 * (x - 3.0) ** 2], axis=1).astype(float)
    corner = (np.arange(size - 1)[:, None] * size + np.arange(size - 1)).ravel()
    lower = np.stack([corner, corner + size, corner + size + 1], axis=1)
    upper = np.stack([corner, corner + size + 1, corner + 1], axis=1)
    return EditableMesh(points, np.concatenate([lower, upper]))


def assert_sound_disk(mesh):
    points, faces = mesh.arrays()
    body = trimesh.Trimesh(points, faces, process=False)
    assert body.euler_number == 1 and body.is_winding_consistent and body.body_count == 1
    _, uses = np.unique(np.sort(body.edges, axis=1), axis=0, return_counts=True)
    assert uses.max() == 2
    assert len(faces) == 2 * len(points) - (uses == 1).sum() - 2
    assert {v for edge in mesh.rim_edges() for v in edge} == mesh.rim
    assert all(mesh.valence(v) == len(mesh.neighbours(v)) for v in mesh.vertices())


@pytest.mark.parametrize("seed", range(5))
def test_random_edits_keep_a_disk(seed):
    mesh, rng = grid(), np.random.default_rng(seed)
    for _ in range(60):
        edges = mesh.edges()
        a, b = edges[rng.integers(len(edges))]
        if rng.random() < 0.5:
            mesh.split(a, b)
        else:
            mesh.collapse(a, b)
        if rng.random() < 0.2:
            mesh.flip_where_better()
    assert_sound_disk(mesh)


def test_collapse_moves_to_the_middle_but_leaves_the_rim_in_place():
    mesh = grid()
    inner, next_inner, rim = 24, 25, 0
    middle = tuple((np.array(mesh.points[inner]) + mesh.points[next_inner]) / 2)
    assert mesh.collapse(inner, next_inner)
    assert np.allclose(mesh.points[inner], middle)
    mesh = grid()
    place = mesh.points[rim]
    assert mesh.collapse(8, rim)
    assert mesh.points[8] == place and 8 in mesh.rim and rim not in mesh.rim


def test_collapse_across_the_sheet_is_refused_without_a_change():
    mesh = grid(2)
    before = mesh.arrays()
    assert not mesh.collapse(0, 3)
    assert all(np.array_equal(a, b) for a, b in zip(before, mesh.arrays(), strict=True))


def test_flips_even_out_valences():
    mesh, rng = grid(), np.random.default_rng(0)
    for _ in range(25):
        edges = mesh.edges()
        mesh.split(*edges[rng.integers(len(edges))])

    def unevenness():
        return sum((mesh.valence(v) - (4 if v in mesh.rim else 6)) ** 2 for v in mesh.vertices())

    before = unevenness()
    assert mesh.flip_where_better() > 0
    assert unevenness() < 0.8 * before
    assert_sound_disk(mesh)
