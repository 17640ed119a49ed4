"""The readers of this gateway: one supervisor each, and the fleet of them."""
