"""Read slide scans of any format behind one small interface."""
