#!/usr/bin/env bash
# What test/php84.sh does within the chroot: "build" the extension and run its phpt, or "compare" with php-fpm.
set -euo pipefail

export BUILD_DIR=/built/ext LIB_DIR=/built/lib CONFIGURE_ARGS=--enable-supervisor-dev

build() {
	/src/php-runtime/ext/build.sh
	/src/php-runtime/ext/phpt.sh
}

scripts="hello cookies session filter server auth headers lifecycle state exit version whoami"
# What worker mode shows otherwise, and has to: the worker script's name and its unwinding at the request's end.
not_in_worker_mode="server lifecycle"

config() { # NAME SOCKET [LINE]
	printf '[global]\nerror_log = %s/%s.log\n%s\n[www]\nuser = www-data\nlisten = %s\npm = static\npm.max_children = 2\n%s\n' \
		"$PWD" "$1" "${4:-}" "$2" "${3:-}" >"$1.conf"
}

# Answers differ in numbers: times, pids, ports.
answer() { # SOCKET SCRIPT
	local status=0
	/built/supervisor request --connect "./$1" "/src/app/$2.php" >answer 2>&1 || status=$?
	sed 's/[0-9]//g' answer
	printf 'status %d\n' "$status"
}

await() { # LOG PID
	for ((i = 0; i < 600; i++)); do
		if grep -qs "ready to handle connections" "$1"; then
			return
		fi
		kill -0 "$2" 2>/dev/null || break
		sleep 0.05
	done
	cat "$1" ./*.out >&2
	return 1
}

compare() {
	local passed=0 failed=0 mode script line ours fpm
	work=$(mktemp -d)
	chmod 755 "$work"
	cd "$work"
	trap 'kill $(jobs -p) 2>/dev/null; wait; rm -rf "$work"' EXIT
	config fpm "$work/fpm.sock"
	php-fpm8.4 -F -y fpm.conf >fpm.out 2>&1 &
	await fpm.log $!
	[[ $(answer fpm.sock hello) == *'Hello World!'* ]]
	for mode in classic worker; do
		line=
		[[ $mode == classic ]] || line="worker.script = /src/app/worker.php"
		config $mode "$work/$mode.sock" "$line" "control = $work/$mode.control"
		/built/supervisor run -y $mode.conf >$mode.out 2>&1 &
		await $mode.log $!
		for script in $scripts; do
			[[ $mode == classic || " $not_in_worker_mode " != *" $script "* ]] || continue
			fpm=$(answer fpm.sock "$script")
			ours=$(answer $mode.sock "$script")
			if [[ $fpm == "$ours" ]]; then
				passed=$((passed + 1))
			else
				failed=$((failed + 1))
				printf 'php84: %s, %s: php-fpm and ours differ\n' "$script" "$mode"
				diff <(printf '%s\n' "$fpm") <(printf '%s\n' "$ours") || true
			fi
		done
	done
	printf 'php84: %d passed, %d failed\n' "$passed" "$failed"
	[[ $failed -eq 0 && $passed -gt 0 ]]
}

"$1"
