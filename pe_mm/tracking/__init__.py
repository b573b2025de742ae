"""Zero-shot tracking: labels of the first frame, carried on by feature similarity."""
