"""What `recado` offers on the command line, one file a theme. Composition only: the work is done elsewhere."""
