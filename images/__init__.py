"""The images that this repository builds."""
