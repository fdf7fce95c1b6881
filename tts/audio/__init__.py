"""Sound as numbers and as files: decode, level, join, encode, check."""
