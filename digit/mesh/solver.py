"""Damped Gauss-Newton steps for many hands at once, within bounds, robust to joints that are far off.

What is minimised, for each hand: squared distances of its joints from the given ones over the variance of their
noise, and how unusual its angles and its shape are. The noise is estimated from the fit itself, so that exact joints
are met exactly and noisy ones are smoothed by what hands can do; joints far outside the noise lose their weight
(Cauchy's kernel). Steps: Levenberg's and Marquardt's, projected on the bounds (Kanzow, Yamashita and Fukushima,
"Levenberg-Marquardt methods with strong local convergence properties for solving nonlinear equations with convex
constraints", 2004).
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from digit.mesh.chain import DTYPE, ORIENT, PARAMETERS, SHIFT, Chain, derivatives, pose, rotation_matrices
from digit.mesh.limits import angle_limits_rad, angle_statistics
from digit.mesh.targets import Targets

BOUNDED = slice(6, PARAMETERS)
"""Parameters with bounds: angles and shape."""
LARGEST_BETA = 3.0
"""Bound of the shape coefficients, in standard deviations of the model's people."""

STEPS = 40
FIRST_DAMPING, LEAST_DAMPING, MOST_DAMPING = 1e-2, 1e-6, 1e8
STILL = 1e-3
"""A hand whose parameters (mm, rad, shape) all move less than this has arrived."""


@dataclass(frozen=True)
class State:
    """Parameters of n hands as :func:`digit.mesh.chain.pose` takes them."""

    orient: np.ndarray
    shift: np.ndarray
    angles: np.ndarray
    betas: np.ndarray

    def rows(self, rows: np.ndarray) -> "State":
        """Some of the hands."""
        return State(*(value[rows] for value in vars(self).values()))

    def replaced(self, rows: np.ndarray, others: "State") -> "State":
        """The same with other parameters for some of the hands."""
        values = [value.copy() for value in vars(self).values()]
        for value, other in zip(values, vars(others).values(), strict=True):
            value[rows] = other
        return State(*values)

    def bounded(self) -> np.ndarray:
        """(n, 35) angles and shape."""
        return np.concatenate([self.angles.reshape(-1, 25), self.betas], axis=1)

    def moved(self, step: np.ndarray) -> "State":
        """After a step (n, 41), within the bounds."""
        values = np.clip(self.bounded() + step[:, BOUNDED], *_bounds())
        turned = rotation_matrices(step[:, ORIENT]) @ self.orient
        return State(turned, self.shift + step[:, SHIFT], values[:, :25].reshape(-1, 5, 5), values[:, 25:])


def solve(chain: Chain, start: State, targets: Targets, steps: int = STEPS) -> State:
    """Fit the parameters of n hands of one side, each from its own start."""
    state, going = start, np.arange(len(start.shift))
    damping = np.full(len(going), FIRST_DAMPING)
    for _ in range(steps):
        now = state.rows(going)
        step, better = _step(chain, now, targets.rows(going), damping[going])
        state = state.replaced(going[better], now.moved(step).rows(better))
        damping[going] = np.clip(damping[going] * np.where(better, 0.2, 6.0), LEAST_DAMPING, MOST_DAMPING)
        going = going[np.abs(step).max(axis=1, initial=0) > STILL]
        if not len(going):
            break
    return state


def _step(chain: Chain, state: State, targets: Targets, damping: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A step (n, 41), and whether it makes each hand better, (n,) bool."""
    posed = pose(chain, state.orient, state.shift, state.angles, state.betas)
    residuals = targets.residuals(posed.joints)
    rows = targets.derivatives(posed.joints, derivatives(chain, posed))
    weights, unusual = targets.weights(residuals), state.bounded() - _usual()
    weighted = np.swapaxes(rows * weights[..., None], 1, 2)
    hessian, gradient = weighted @ rows, (weighted @ residuals[..., None])[..., 0]
    hessian[:, BOUNDED, BOUNDED] += _precision()
    gradient[:, BOUNDED] += unusual @ _precision()
    step = _bounded_step(state, hessian.astype(np.float64), gradient.astype(np.float64), damping)
    after = state.moved(step)
    joints = pose(chain, after.orient, after.shift, after.angles, after.betas).joints
    cost = _cost(targets.residuals(joints), weights, after.bounded() - _usual())
    return step, cost <= _cost(residuals, weights, unusual)


def _cost(residuals: np.ndarray, weights: np.ndarray, unusual: np.ndarray) -> np.ndarray:
    return (weights * residuals**2).sum(axis=1) + ((unusual @ _precision()) * unusual).sum(axis=1)


def _bounded_step(state: State, hessian: np.ndarray, gradient: np.ndarray, damping: np.ndarray) -> np.ndarray:
    """Solve for the steps (n, 41) of everything that does not press against its bound."""
    (lowest, highest), values = _bounds(), state.bounded()
    down, up = gradient[:, BOUNDED] > 0, gradient[:, BOUNDED] < 0
    free = np.ones(gradient.shape, bool)
    free[:, BOUNDED] = (lowest < highest) & ~((values <= lowest) & down) & ~((values >= highest) & up)
    damped = hessian + np.eye(PARAMETERS) * hessian * damping[:, None, None]
    system = np.where(free[:, :, None] & free[:, None, :], damped, np.eye(PARAMETERS))
    return -np.linalg.solve(system, np.where(free, gradient, 0.0)[..., None])[..., 0].astype(DTYPE)


@cache
def _bounds() -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest values (35,) of angles and shape."""
    lowest, highest = angle_limits_rad()
    shape = np.full(10, LARGEST_BETA)
    return (
        np.concatenate([lowest.ravel(), -shape]).astype(DTYPE),
        np.concatenate([highest.ravel(), shape]).astype(DTYPE),
    )


@cache
def _usual() -> np.ndarray:
    """(35,) mean angles and shape."""
    return np.concatenate([angle_statistics()[0], np.zeros(10)]).astype(DTYPE)


@cache
def _precision() -> np.ndarray:
    """(35, 35) inverse covariance of angles and shape; MANO's shape coefficients have unit variance."""
    precision = np.eye(35)
    precision[:25, :25] = np.linalg.inv(angle_statistics()[1])
    return precision.astype(DTYPE)
