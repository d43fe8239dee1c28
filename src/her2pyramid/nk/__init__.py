"""The analysis of N (PSSs a core) and k (size of the KCS): how accuracy varies with both."""
