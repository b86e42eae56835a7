"""The people of the house: long-lived actors that own all state that changes, and the runtime they live in."""
