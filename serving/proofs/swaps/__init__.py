"""Another model answers: promotions and ways back under load, without one failed request."""
