#!/usr/bin/env bash
# Serves DokuWiki and a Symfony application behind nginx until Ctrl-C; called by: make demo
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PATH=$PWD/build/go/bin:$PATH:/usr/local/go/bin
mkdir -p bin
go build -buildvcs=false -o bin/demo ./test/demo
# exec: whoever stops this script stops the demonstration itself.
exec bin/demo "$@"
