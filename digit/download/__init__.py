"""InterHand2.6M from its mirrors: fetched, verified, and what a person has to get named.

- ``terms``: the licence, shown before anything is fetched
- ``answers``: one HTTP request, and what each answer that is not the file means, in words
- ``files``: one file from several mirrors: resumed, retried, verified
- ``release``: the files of the release, and room for them on the disk
- ``annotations``: the zip of annotations, unpacked to the data folder
- ``by_hand``: MANO and RootNet's results, recognised by what they hold
"""
