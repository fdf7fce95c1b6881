"""The WhatsApp Cloud API: what it delivers, and how to speak back through it."""
