"""Rules over a catalog: which records are wanted, why, and what they cost."""
