"""Looks at a machine before anything heavy is installed or loaded, and says what is wrong and how to mend it.

Each check gives `Finding`s; `examination` runs them. Nothing here imports numpy, ONNX, torch or their like, so that it
works where they are missing.
"""
