"""InterHand2.6M as it is released: from annotation files to checked, sorted columns.

- :mod:`json_records`: JSON files of any size, record by record, in bounded memory
- :mod:`fields`: lists of records as arrays, naming each record that does not fit
- :mod:`interhand`: the contents of the release's files as columns; their names are in :mod:`digit.run.layout`
- :mod:`tables`: the columns of a split's index, sorted and with every reference resolved
- :mod:`plausibility`, :mod:`views`: whether these can be hands that these cameras saw; :mod:`words`: the wording
- :mod:`audit`: what ``check`` asks of a data folder beyond its annotations
- :mod:`problems`: everything that is wrong, as one list

Another data set in another layout is a package beside this one with its own ``build_tables``, which gives the columns
of :data:`digit.samples.index.COLUMNS`. It gets a name in ``data.source`` (:mod:`digit.config.settings`), and
:mod:`digit.stages.index` and :mod:`digit.stages.check` choose by that name; CONTRIBUTING.md lists what else knows names
of files.
"""
