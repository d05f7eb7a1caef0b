"""The stages: open a folder and everything that the stage does is there."""
