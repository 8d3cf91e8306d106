"""What is measured of a trained model beside accuracy: groups, consent patterns, explanations."""
