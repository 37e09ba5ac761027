"""What a process gets from its caller: signals, streams, environment, a folder for temporary files; child processes."""
