"""The worker: generates and scores with the models of the store; knows nothing of people, stages or Django."""
