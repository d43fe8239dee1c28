"""A synthetic cohort: who has which core, how readers read it, and the slides themselves."""
