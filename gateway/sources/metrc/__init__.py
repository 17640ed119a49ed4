"""Manifests from Metrc: what is asked, over which connection, and what its answers look like."""
