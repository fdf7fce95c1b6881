"""The messaging edge: channels in and out, and an emulator of one. Knows no voice and no bot."""
