"""InterHand2.6M as it is released: from annotation files to checked, sorted columns.

- :mod:`json_records`: JSON files of any size, record by record, in bounded memory
- :mod:`fields`: lists of records as arrays, naming each record that does not fit
- :mod:`interhand`: where the release's files lie, and their contents as columns
- :mod:`tables`: the columns of a split's index, sorted and with every reference resolved
- :mod:`audit`: what ``check`` asks of a data folder beyond its annotations
- :mod:`problems`: everything that is wrong, as one list

Another data set in another layout is a package beside this one that gives the same columns.
"""
