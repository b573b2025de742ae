"""Which layer: one frozen encoder, a light probe per layer, and what came out."""
