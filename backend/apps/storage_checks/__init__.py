"""Whether storage holds what the database says, and nothing else."""
