"""What each request came to: Envoy measures and logs it, one worker reads the log, whoever wants to know is told."""
