"""Where machines look whether the service is well: `/readyz`, `/livez` and `/metrics`."""
