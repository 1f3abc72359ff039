"""HTTP: a request becomes a push or a typed question, an answer becomes JSON. Nothing else."""
