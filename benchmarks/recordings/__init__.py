"""What the floor makes of recordings of real readers, beside simple rules on the same reads.

The recordings stand beside the project, in ``../shared/recordings``, and are no part of it. Where they are not, this
says so and measures nothing.
"""
