"""Is this machine fit for the model? What ``boilerplate-clf doctor`` looks at."""
