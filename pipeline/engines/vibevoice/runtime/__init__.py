"""Runtime around the model: allocator, thread teams, torch errors, compilation, unloading when idle."""
