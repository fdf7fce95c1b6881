"""A look-alike of the WhatsApp Cloud API with phones to write from: it plays Meta and the people.

It imports nothing else of this project, not even the parser: a shared parser would hide a shared misreading.
"""
