"""A triangle mesh with one boundary that can be edited edge by edge without ceasing to be a manifold."""

import math

import numpy as np

Point = tuple[float, float, float]
Edge = tuple[int, int]
Face = tuple[int, int, int]

MAX_VALENCE = 9
MIN_FLIP_GAIN = 0.5


def _subtract(a: Point, b: Point) -> Point:
    return (a[0] - b[0], a[1] - b[1], a[2] - b[2])


def _dot(a: Point, b: Point) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _middle(a: Point, b: Point) -> Point:
    return (0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1]), 0.5 * (a[2] + b[2]))


def _normal(p: Point, q: Point, r: Point) -> Point:
    """Twice the area times the unit normal."""
    u, v = _subtract(q, p), _subtract(r, p)
    return (u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0])


def _cosine(a: Point, b: Point) -> float:
    return _dot(a, b) / math.sqrt(max(_dot(a, a) * _dot(b, b), 1e-30))


def _renamed(face: Face, old: int, new: int) -> Face:
    """The face with one vertex in another's place."""
    a, b, c = (new if v == old else v for v in face)
    return (a, b, c)


class EditableMesh:
    """Points, faces by number, the numbers of the faces around each point, and the points of the rim."""

    def __init__(self, points: np.ndarray, faces: np.ndarray) -> None:
        self.points: list[Point] = [(x, y, z) for x, y, z in points.tolist()]
        self.faces: dict[int, Face] = {index: (a, b, c) for index, (a, b, c) in enumerate(faces.tolist())}
        self._next_face = len(self.faces)
        self.around: list[set[int]] = [set() for _ in self.points]
        for index, face in self.faces.items():
            for vertex in face:
                self.around[vertex].add(index)
        self.rim: set[int] = {v for a, b in self.rim_edges() for v in (a, b)}

    def vertices(self) -> list[int]:
        """Points in use."""
        return [v for v, faces in enumerate(self.around) if faces]

    def edges(self) -> list[Edge]:
        """Every edge once, lower vertex first, in the order of the faces."""
        found: dict[Edge, None] = {}
        for face in self.faces.values():
            for k in range(3):
                a, b = face[k - 1], face[k]
                found[(a, b) if a < b else (b, a)] = None
        return list(found)

    def rim_edges(self) -> list[Edge]:
        """Edges of a single face."""
        return [(a, b) for a, b in self.edges() if len(self.around[a] & self.around[b]) == 1]

    def neighbours(self, vertex: int) -> set[int]:
        """Vertices that share an edge with this one."""
        return {v for index in self.around[vertex] for v in self.faces[index]} - {vertex}

    def length(self, a: int, b: int) -> float:
        """Length of an edge."""
        return math.dist(self.points[a], self.points[b])

    def valence(self, vertex: int) -> int:
        """Number of edges at a vertex."""
        return len(self.around[vertex]) + (vertex in self.rim)

    def collapse(self, a: int, b: int) -> bool:
        """Merge b into a if the result is a sound surface; False, and no change, if not."""
        shared = self.around[a] & self.around[b]
        a_on_rim, b_on_rim = a in self.rim, b in self.rim
        if not shared or (a_on_rim and b_on_rim and len(shared) == 2):
            return False
        near_a, near_b = self.neighbours(a), self.neighbours(b)
        if len(near_a & near_b) != len(shared) or len((near_a | near_b) - {a, b}) > MAX_VALENCE:
            return False
        place = _middle(self.points[a], self.points[b])
        if a_on_rim != b_on_rim:
            place = self.points[a if a_on_rim else b]
        if any(self._folds(self.faces[f], a, b, place) for f in (self.around[a] | self.around[b]) - shared):
            return False
        for f in shared:
            for v in self.faces.pop(f):
                self.around[v].discard(f)
        for f in self.around[b]:
            self.faces[f] = _renamed(self.faces[f], b, a)
            self.around[a].add(f)
        self.around[b] = set()
        self.points[a] = place
        if b_on_rim:
            self.rim.add(a)
            self.rim.discard(b)
        return True

    def _folds(self, face: Face, a: int, b: int, place: Point) -> bool:
        """Whether the face turns over or vanishes when a and b move to a place."""
        before = _normal(*(self.points[v] for v in face))
        after = _normal(*(place if v in (a, b) else self.points[v] for v in face))
        if _dot(after, after) < 1e-12:
            return True
        return _dot(before, before) > 1e-18 and _cosine(before, after) < 0.3

    def split(self, a: int, b: int) -> int:
        """Put a vertex in the middle of an edge; its number."""
        shared, middle = sorted(self.around[a] & self.around[b]), len(self.points)
        self.points.append(_middle(self.points[a], self.points[b]))
        self.around.append(set())
        if len(shared) == 1:
            self.rim.add(middle)
        for f in shared:
            face, added = self.faces[f], self._next_face
            self._next_face += 1
            self.faces[f], self.faces[added] = _renamed(face, b, middle), _renamed(face, a, middle)
            self.around[b].discard(f)
            self.around[middle].add(f)
            for v in self.faces[added]:
                self.around[v].add(added)
        return middle

    def flip_where_better(self) -> int:
        """Flip edges that bring valences closer to 6 (4 on the rim) or get shorter; how many were flipped."""
        return sum(self._flip(a, b) for a, b in self.edges())

    def _flip(self, a: int, b: int) -> bool:
        shared = sorted(self.around[a] & self.around[b])
        if len(shared) != 2:
            return False
        f1, f2 = shared
        face = self.faces[f1]
        if face[(face.index(a) + 1) % 3] != b:
            f1, f2 = f2, f1
        c = next(v for v in self.faces[f1] if v not in (a, b))
        d = next(v for v in self.faces[f2] if v not in (a, b))
        if c == d or self.around[c] & self.around[d] or min(self.valence(a), self.valence(b)) <= 4:
            return False
        excess = [self.valence(v) - (4 if v in self.rim else 6) for v in (a, b, c, d)]
        after = [excess[0] - 1, excess[1] - 1, excess[2] + 1, excess[3] + 1]
        now, then = self.length(a, b), self.length(c, d)
        gain = sum(e * e for e in excess) - sum(e * e for e in after) + 5 * (now - then) / (now + then)
        if gain <= MIN_FLIP_GAIN or not self._flip_is_flat(a, b, c, d):
            return False
        for f in (f1, f2):
            for v in self.faces[f]:
                self.around[v].discard(f)
        self.faces[f1], self.faces[f2] = (a, d, c), (d, b, c)
        for f in (f1, f2):
            for v in self.faces[f]:
                self.around[v].add(f)
        return True

    def _flip_is_flat(self, a: int, b: int, c: int, d: int) -> bool:
        p, q, r, s = (self.points[v] for v in (a, b, c, d))
        old1, old2 = _normal(p, q, r), _normal(q, p, s)
        mean = (old1[0] + old2[0], old1[1] + old2[1], old1[2] + old2[2])
        new1, new2 = _normal(p, s, r), _normal(s, q, r)
        return _cosine(new1, mean) >= 0.6 and _cosine(new2, mean) >= 0.6 and _cosine(new1, new2) >= 0.5

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """(V, 3) points in use and (F, 3) faces between them."""
        used = self.vertices()
        number = {v: k for k, v in enumerate(used)}
        faces = [[number[v] for v in face] for face in self.faces.values()]
        return np.array([self.points[v] for v in used]), np.array(faces)
