"""What the original's scripts leave behind, read (:mod:`reading`) and written (:mod:`writing`)."""
