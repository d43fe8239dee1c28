"""Where results come from: how the run was started, what its tables hold, and a crate of it all."""
