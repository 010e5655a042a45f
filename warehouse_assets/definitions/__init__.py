"""What a person writes: assets, sources, and what functions give back."""
