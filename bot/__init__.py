"""Recado: joins the messaging edge and the voice through durable turns."""
