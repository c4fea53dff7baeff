#!/usr/bin/env bash
# Measures ours beside php-fpm; called by: make bench. Options: test/bench.sh -help
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATH=$PWD/build/go/bin:$PATH:/usr/local/go/bin
mkdir -p bin
go build -buildvcs=false -o bin/bench ./test/bench
exec bin/bench "$@"
