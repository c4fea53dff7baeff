#!/usr/bin/env bash
# A second PHP: builds the extension for Debian 13's PHP 8.4 in a chroot, with all warnings as errors, runs its phpt there, and
# compares the supervisor's answers with php-fpm 8.4's, script by script. As root. The chroot is made once (build/debian13) and kept.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(dirname "$here")
root=$top/build/debian13
go=${GO:-go}

fail() { printf 'php84: %s\n' "$*" >&2; exit 1; }

# Debian puts nothing half-made into place: a chroot that was interrupted is made anew.
make_chroot() {
	[[ ! -e $root/.complete ]] || return 0
	command -v debootstrap >/dev/null || fail "debootstrap is missing: test/install-deps.sh test"
	rm -rf "$root"
	mkdir -p "$top/build"
	debootstrap --variant=minbase --include=php8.4-cli,php8.4-dev,php8.4-fpm,php8.4-opcache,php8.4-mbstring,php8.4-xml,gcc,make \
		trixie "$root" >"$top/build/debian13.log" 2>&1 || { tail -20 "$top/build/debian13.log" >&2; fail "debootstrap failed"; }
	touch "$root/.complete"
}

lay() {
	rm -rf "$root/src" "$root/built"
	mkdir -p "$root/src" "$root/built/lib"
	cp -r "$top/php-runtime" "$root/src/"
	cp -r "$here/apps/php" "$root/src/app"
	cp "$here/php84-inside.sh" "$root/src/"
}

# The program with the chroot's extension inside, from a copy of the sources: the real ones carry those of this machine.
build_supervisor() {
	local copy=$root/built/go
	mkdir -p "$copy"
	(cd "$top" && cp -r go.mod go.sum cmd fcgi pool recycle watch internal php-runtime "$copy/")
	rm -f "$copy"/internal/phpext/lib/*.so
	cp "$root"/built/lib/*.so "$copy/internal/phpext/lib/"
	(cd "$copy" && CGO_ENABLED=0 "$go" build -buildvcs=false -o "$root/built/supervisor" ./cmd/supervisor)
}

# In a mount namespace of its own, so that nothing stays mounted.
inside() {
	# shellcheck disable=SC2016 # for the bash inside
	unshare --mount --propagation private bash -c '
		mount --bind /proc "$1/proc" && mount --bind /dev "$1/dev" && exec chroot "$1" bash /src/php84-inside.sh "$2"' - "$root" "$1"
}

[[ $(id -u) -eq 0 ]] || { printf 'php84: NOT RUN: only root can enter a chroot\n'; exit 0; }
make_chroot
lay
inside build
build_supervisor
inside compare
