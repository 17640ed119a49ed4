"""Training of the learned layer of the portals: simulated doors of many kinds, what the floor saw of each tag there,
and the fitting of the weights in ``gateway/floor/portals/learned.json``.

``make train`` runs it, from seeds alone and the same on every run.
"""
