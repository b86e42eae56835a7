"""Linux routers as devices: routes by netlink, access lists and shaping by nftables and tc, each marked as the hub's own."""
