"""The dock page: what a dock shows, live in a browser, and the buttons that open and close its sessions.

Needs the extra `web`. The server renders everything, escaped where it is made; a small script puts in place what has
changed. Nothing is fetched from elsewhere, so the page works without a network beyond the dock.
"""
