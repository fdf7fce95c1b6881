"""Finds the words of an answer: a chat endpoint, a persona's script, and what to say when neither works."""
