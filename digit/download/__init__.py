"""InterHand2.6M from its mirrors: fetched, verified, and what remains to be got by hand.

- ``terms``: the licence, shown before anything is fetched
- ``answers``: one HTTP request, and what each answer that is not the file means, in words
- ``files``: one file from several mirrors: resumed, retried, verified
- ``release``: the files of the release, several at once
- ``room``: free space on the disk, checked before it is needed
- ``progress``: bytes, rate and time left, on a terminal or in a log
- ``annotations``: the zip of annotations, unpacked to the data folder
- ``by_hand``: MANO and RootNet's results, recognised by what they hold
"""
