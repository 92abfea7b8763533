"""Archives of any size: a frozen list of inputs, two engines, one resumable table of shards."""
