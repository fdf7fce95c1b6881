"""From a voice's description to what an engine needs of it."""
