"""What a process gets from its caller: signals, streams, environment, memory, a temporary folder; child processes."""
