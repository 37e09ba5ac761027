"""What a process gets from its caller, signals, standard streams and a folder for temporary files; child processes."""
