"""The HTML report: facts read from a run's files, drawn as one self-contained page.

- :mod:`facts`, :mod:`experiments`, :mod:`published`: what it says
- :mod:`compare`: experiments side by side, paired
- :mod:`tables`, :mod:`charts`, :mod:`samples`: how it is shown
- :mod:`page`: the page, from ``page.html``, ``style.css``, ``samples.js`` and what :mod:`digit.pages` shares
"""
