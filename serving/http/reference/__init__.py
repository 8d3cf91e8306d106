"""What callers read about the interface: the OpenAPI document, examples and pages of problems."""
