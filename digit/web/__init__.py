"""``digit serve``: a page on this computer that predicts pictures and what a camera sees, and keeps nothing.

- :mod:`guard`: who may ask, and what the page may load
- :mod:`uploads`: what is sent, within limits
- :mod:`app`: the page and the answers
- :mod:`server`: the address on this computer

``page.html``, ``style.css`` and ``web.js`` are the page, with what :mod:`digit.pages` shares.
"""
