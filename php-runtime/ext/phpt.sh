#!/usr/bin/env bash
# Runs the extension's phpt in each directory build.sh has built in, plain and with OPcache and its JIT.
#
#   phpt.sh [TESTS]     paths relative to the extension (default: tests/)
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build_dir=${BUILD_DIR:-$top/build}
tests=${*:-tests/}

run() {
	local dir=$1 name=$2
	shift 2
	printf '=== phpt, %s, %s\n' "${dir##*/ext-}" "$name"
	# A test that talks to a terminal or a proxy is no test; the status of run-tests.php is make's.
	if ! (cd "$dir" && env -u PHPRC -u PHP_INI_SCAN_DIR -u SUPERVISOR_CONTROL NO_INTERACTION=1 REPORT_EXIT_STATUS=1 \
		TEST_PHP_ARGS="-q --no-color -g FAIL,XFAIL,BORK,WARN,LEAK,XLEAK,SKIP --show-diff $*" make -s test TESTS="$tests"); then
		printf 'phpt: failed: %s, %s\n' "${dir##*/ext-}" "$name" >&2
		exit 1
	fi
}

# Prints the options that load OPcache into the PHP of a build directory, which looks for extensions in the build only.
# Fails if there is none. From PHP 8.5 on it is always there.
opcache_options() {
	local php file
	php=$(sed -n 's/^PHP_EXECUTABLE = //p' "$1/Makefile")
	if "$php" -n -m | grep -q '^Zend OPcache$'; then
		return
	fi
	file=$("$php" -n -r 'echo PHP_EXTENSION_DIR;')/opcache.so
	[[ -r $file ]] || return 1
	printf '%s\n' "-d zend_extension=$file"
}

found=0
for dir in "$build_dir"/ext-*/; do
	dir=${dir%/}
	[[ -f $dir/.built ]] || continue
	found=1
	run "$dir" plain
	if opcache=$(opcache_options "$dir"); then
		# shellcheck disable=SC2086 # two words
		run "$dir" opcache $opcache -d opcache.enable=1 -d opcache.enable_cli=1 -d opcache.jit=tracing \
			-d opcache.jit_buffer_size=16M
	else
		printf '=== phpt, %s, opcache: NOT RUN, this PHP has no OPcache\n' "${dir##*/ext-}"
	fi
done
[[ $found -eq 1 ]] || { printf 'phpt: nothing is built, run make ext first\n' >&2; exit 1; }
