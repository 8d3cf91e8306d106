"""What can be seen of the service: names of requests, logs and counts, without any customer."""
