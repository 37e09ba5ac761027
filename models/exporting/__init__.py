"""A trained run as files that other runtimes load, without this project."""
