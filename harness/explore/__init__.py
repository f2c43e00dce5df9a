"""State exploration: sequences of what clients do, drawn by hypothesis, played to a server, judged by a model."""
