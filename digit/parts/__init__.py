"""Part masks: which part of which hand every pixel of an image shows.

- :mod:`drawing`: masks drawn from the hand fits
- :mod:`takeover`: masks and fit errors that the original's scripts left
- :mod:`mask`: what either gives for one sample
- :mod:`view`: posed hands as a camera sees them, for programs of others

How well the fits agree with the joints, and the table of that, are in :mod:`digit.samples.fits`; how a mask is stored
is in :mod:`digit.store.masks`.
"""
