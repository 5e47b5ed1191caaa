"""Hand-over of finished books to the players that the operator names."""
