"""Reference baselines: one folder a family, behind the predictor interface of `vismark.tasks`."""
