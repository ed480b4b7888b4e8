"""A training, from its settings to its published weights. The stage ``train`` calls downwards:

- :mod:`loop`: runs a training in one process or several, and interprets how it ended
- :mod:`requirements`: what the settings ask of the machine
- :mod:`evaluation`, :mod:`checkpoints`, :mod:`history`: the callbacks; each knows what it is given
- :mod:`batches`: training batches, from where an interrupted epoch stood
- :mod:`averaging`: a moving average of the weights
- :mod:`resuming`: a saved state of another run
- :mod:`loggers`, :mod:`overlays`: what to watch during a training
- :mod:`signals`: being asked to stop
- :mod:`internals`: everything of Lightning that is not public
"""
