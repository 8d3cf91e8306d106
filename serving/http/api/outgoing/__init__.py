"""Routes by which much leaves at once or by itself: audiences, and webhooks."""
