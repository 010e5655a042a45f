"""The asset graph, selections of it, and `Definitions`: pure questions and their answers."""
