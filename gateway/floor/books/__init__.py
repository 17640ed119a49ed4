"""Books: what others say should be where, held against what is seen."""
