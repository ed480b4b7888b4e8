"""The same jobs done the obvious way, as the original repositories do them, in our own words."""
