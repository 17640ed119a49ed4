"""Presence: which zone each tag is in, when silence means something, and what is contested between zones."""
