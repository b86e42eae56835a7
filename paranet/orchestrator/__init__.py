"""How the network gets from what is installed to what is wanted: differences, plans, waves."""
