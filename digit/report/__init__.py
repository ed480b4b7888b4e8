"""The HTML report: facts read from a run's files, drawn as one self-contained page."""
