"""How the frozen open hand was made: run ``python -m digit.hand.open_hand.generate``. Needs scikit-image."""
