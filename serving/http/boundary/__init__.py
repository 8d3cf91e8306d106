"""What every request passes on its way in and out: sizes, scopes, problems, metrics."""
