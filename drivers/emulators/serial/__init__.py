"""Serial readers that are not there, a file a family, on a pty, with faults of the line where they are asked for."""
