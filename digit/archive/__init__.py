"""The release's images where they were downloaded: pieces of one tar, read in place.

A tar's members lie at fixed offsets, so one pass over its headers tells where each JPEG is, and nothing is unpacked.

- ``headers``: the 512-byte blocks of a tar (POSIX, GNU and pax), without any file
- ``pieces``: the pieces of a folder as one range of bytes
- ``scan``: the header pass over one piece
- ``members``: what all pieces hold, as memory-mapped tables kept beside them
- ``checksums``: the release's MD5 sums, and which pieces were found to have theirs
- ``source``: images of a split, for check and images
- ``audit``: what is wrong with an archive
"""
