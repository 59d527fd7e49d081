"""The command line: each verb parses, calls a room and prints. stdout is data, stderr is narration."""
