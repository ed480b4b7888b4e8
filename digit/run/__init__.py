"""What every program here needs while it runs.

- :mod:`console`: log lines and progress
- :mod:`output`: what is printed, in a log file as well
- :mod:`errors`: :class:`~digit.run.errors.UserError`, the exception that is meant for the person at the keyboard
- :mod:`files`: outputs that are whole or absent; JSON
- :mod:`pickles`: pickles from elsewhere, read without running what they ask for
- :mod:`processes`: one writer per output, jobs that end with their workflow
- :mod:`layout`: where a run keeps its files
- :mod:`compiled`: functions compiled by numba, and where compiled code is kept
- :mod:`provenance`: where a result comes from: commit, versions, machine, keys and digests
"""
