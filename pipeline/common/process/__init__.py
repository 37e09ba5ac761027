"""What a process gets from its caller, signals and standard streams, and child processes."""
