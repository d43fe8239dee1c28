"""Looking after results: what is stale, how much room it takes, mending, and clearing away."""
