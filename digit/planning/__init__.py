"""What a run will cost, before it is started: :mod:`costs` adds up, :mod:`rates` says what an item takes."""
