"""The terms of InterHand2.6M, which are shown before anything is fetched."""

from digit.run.console import log
from digit.run.errors import UserError

TEXT = """\
InterHand2.6M (G. Moon, S.-I. Yu, H. Wen, T. Shiratori, K. M. Lee: "InterHand2.6M: A Dataset and Baseline for 3D
Interacting Hand Pose Estimation from a Single RGB Image", ECCV 2020) is published by its authors and Meta under
CC BY-NC 4.0, https://creativecommons.org/licenses/by-nc/4.0/. In short, and without replacing the licence itself:
  - you may use, copy and change the data for purposes that are not commercial;
  - you must name the authors, link the licence and say what you changed;
  - there is no warranty, and the rights of the people who are shown (privacy, publicity) are not part of the licence.
The terms in full: https://mks0601.github.io/InterHand2.6M/"""


class Terms:
    """The terms, and whether the user accepts them."""

    def __init__(self, accepted: bool) -> None:
        self._accepted, self._shown = accepted, False

    def require(self) -> None:
        """Show the terms, once, before something is fetched.

        Raises:
            UserError: when they are not accepted: with the terms, and how to accept them.
        """
        if not self._accepted:
            remedy = "run `digit download --accept-licence`, or set data.accept_licence: true"
            raise UserError(f"nothing was downloaded. Read the terms first:\n\n{TEXT}\n\nIf you accept them, {remedy}")
        if not self._shown:
            log.info("the terms, which you accept:\n%s", TEXT)
            self._shown = True
