"""HER2 scoring of tissue-microarray cores by pyramid sampling (research use only)."""
