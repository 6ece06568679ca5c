"""The contracts between stages: topics, record schemas, lake and warehouse tables. Stages meet here and nowhere else."""
