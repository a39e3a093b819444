"""What the Learn pages show."""
