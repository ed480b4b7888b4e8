"""The facts that a bug report needs, gathered without changing anything.

- :mod:`fact`: one line of the page
- :mod:`software`: versions, and what differs from the lock file
- :mod:`machine`: processor, memory, GPUs, OpenGL, compiled code, disks
- :mod:`configuration`: what is configured, and which of the user's files are missing
- :mod:`progress`: how far the run is, which locks are held, which jobs ended with an error
- :mod:`privacy`: what is left out of the page: folders outside the project, credentials
"""
