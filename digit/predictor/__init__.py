"""From anybody's pictures to poses: decoding pictures, finding them in folders, and keeping results apart from them."""
