"""One module per stage; stages meet in files and never import each other.

:mod:`settings` lists the configuration keys that each one reads: a changed key reruns these stages and no others.
"""
