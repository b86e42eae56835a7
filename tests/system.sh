#!/bin/sh
# Installs what the tests need at system level: chromium and a Chinese font for the pages, what drives network namespaces,
# redis-server for what hubs share, and Prometheus with its Alertmanager to be compared with. Without the right to, it names what is missing.
set -eu
missing=""
command -v chromium > /dev/null || missing="$missing chromium"
command -v redis-server > /dev/null || missing="$missing redis-server"
command -v prometheus > /dev/null || missing="$missing prometheus"
command -v prometheus-alertmanager > /dev/null || missing="$missing prometheus-alertmanager"
[ -e /usr/share/fonts/truetype/wqy/wqy-microhei.ttc ] || missing="$missing fonts-wqy-microhei"
PATH="$PATH:/usr/sbin:/sbin"
command -v ip > /dev/null || missing="$missing iproute2"
command -v nft > /dev/null || missing="$missing nftables"
command -v ping > /dev/null || missing="$missing iputils-ping"
command -v iperf3 > /dev/null || missing="$missing iperf3"
[ -z "$missing" ] && exit 0
if command -v apt-get > /dev/null && [ "$(id -u)" = 0 ]; then
    echo "installing:$missing" >&2
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of packages
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends $missing fonts-dejavu-core > /dev/null
    exit 0
fi
echo "missing at system level:$missing (Debian: sudo apt-get install$missing); the tests that need it are skipped" >&2
[ "${CI:-}" != true ]
