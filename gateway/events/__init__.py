"""What is published: the envelope, and the models that describe its data and give the JSON Schemas."""
