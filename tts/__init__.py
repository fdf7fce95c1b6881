"""Text to voice note, and voice note to text: a library of its own. Knows neither chats nor channels."""
