"""What the floor knows of the readers: up or down, their history, and for how long each antenna was dark."""
