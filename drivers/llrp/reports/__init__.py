"""Tag reports: the layout of a report, learned once, and the decoder that reads whole reports by it."""
