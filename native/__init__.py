"""Build steps: compilers at work before the package exists."""
