"""``python -m digit``, the same as the command ``digit``."""

from digit.cli import main

if __name__ == "__main__":
    main()
