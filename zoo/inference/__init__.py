"""What a finished run is asked."""
