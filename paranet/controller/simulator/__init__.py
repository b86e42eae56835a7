"""The simulated network: devices that hold rows, and traffic that follows them."""
