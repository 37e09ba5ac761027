"""What every layer needs: errors, configurations, flags, the start and end of a program, seeds, files."""
