"""Routes by which consent comes from elsewhere: from consent tools and from visitors."""
