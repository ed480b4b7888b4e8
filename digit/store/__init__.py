"""Many small files as a few large ones: JPEG images and PNG part masks in LMDB shards.

- :mod:`shards`: :class:`~digit.store.shards.Store`, and writing a shard
- :mod:`lmdb_file`: one LMDB file, verified before it gets its name
- :mod:`jpeg`: JPEG files, and what can be said about one with and without decoding it
- :mod:`png`: what can be said about a PNG file without decoding it
- :mod:`masks`: part masks as PNG, read and written
- :mod:`image_files`: the JPEG files of one shard
- :mod:`earlier`: what an earlier run of the same job left
- :mod:`prefetch`: slow things done a little ahead of their use
"""
