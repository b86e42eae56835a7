"""Values: topologies, device rows, intents and the units they are measured in."""
