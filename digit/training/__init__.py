"""What happens around the training steps: batches, saved states, evaluation, history."""
