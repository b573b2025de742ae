"""What a trained model predicts for images, as files for people and for tools."""
