"""The command line: parses, calls a job, prints. One module a command; nothing heavy is imported early."""
