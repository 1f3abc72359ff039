"""Takes pushes: bounds and checks them, and has them on disk before they are acknowledged."""
