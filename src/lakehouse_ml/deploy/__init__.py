"""The edge to the platform: who may do what there, its secrets, releases, declarative pipelines."""
