#!/usr/bin/env bash
# Installs what is missing on Debian: for building, for the demonstration, or for all tests.
#
#   install-deps.sh build|demo|test
#
# Packages that are there are left alone, and when nothing is missing nothing is run as root. No service is started: what
# the packages would start (php-fpm, nginx) stays stopped now and disabled for the next boot.
set -euo pipefail

what=${1:-build}
case $what in
build | demo | test) ;;
*) printf 'usage: install-deps.sh build|demo|test\n' >&2; exit 64 ;;
esac
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf 'deps: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# The newest PHP that is installed, or else Debian's own.
php_version() {
	local v
	for v in 8.5 8.4 8.3 8.2 8.1; do
		if command -v "php$v" >/dev/null; then
			printf '%s\n' "$v"
			return
		fi
	done
	apt-cache depends php-cli 2>/dev/null | sed -n 's/.*Depends: php\([0-9.]*\)-cli.*/\1/p' | head -n 1
}

list_packages() {
	local php=$1
	case $what in
	build | demo | test)
		# php-fpm for its ini files, and as the yardstick.
		printf '%s\n' ca-certificates git make gcc libc6-dev autoconf "php$php-cli" "php$php-fpm" "php$php-dev" \
			"php$php-opcache" "php$php-readline"
		;;&
	demo | test)
		printf '%s\n' curl procps nginx-light "php$php-mbstring" "php$php-xml" "php$php-intl" "php$php-gd" \
			"php$php-curl" "php$php-sqlite3" dokuwiki php-symfony-framework-bundle php-symfony-runtime
		;;&
	test)
		printf '%s\n' debootstrap wrk valgrind shellcheck clang libclang-rt-dev strace libfcgi-bin
		;;
	build | demo) ;;
	esac
}

installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

as_root() {
	if [[ $(id -u) -eq 0 ]]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo -- "$@"
	else
		fail "root is needed to install packages, and there is no sudo: $*"
	fi
}

# Keeps packages from starting their services (invoke-rc.d asks this program), unless there is such a policy already.
policy=/usr/sbin/policy-rc.d
forbid_services() {
	[[ ! -e $policy ]] || return 0
	printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
	as_root chmod 755 "$policy"
	trap 'as_root rm -f "$policy"' EXIT
}

install_packages() {
	local php package
	local -a missing=()
	if ! command -v apt-get >/dev/null; then
		say "this is not Debian: install PHP with its development files, nginx and the rest yourself"
		return
	fi
	php=$(php_version)
	if [[ -z $php ]]; then # a machine on which apt-get update was never run
		as_root apt-get update -q
		php=$(php_version)
		[[ -n $php ]] || fail "this distribution has no package php-cli"
	fi
	for package in $(list_packages "$php"); do
		installed "$package" || missing+=("$package")
	done
	[[ -x $(command -v go || echo /usr/local/go/bin/go) ]] || installed golang-go || missing+=(golang-go)
	[[ ${#missing[@]} -gt 0 ]] || return 0

	say "installing: ${missing[*]}"
	forbid_services
	local -a install=(env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -q -y --no-install-recommends
		-o Dpkg::Options::=--force-confold "${missing[@]}")
	if ! as_root "${install[@]}"; then
		as_root apt-get update -q # the lists may be older than the mirror
		as_root "${install[@]}"
	fi
	if [[ -d /run/systemd/system ]]; then
		local service
		for service in nginx "php$php-fpm" apache2; do
			[[ " ${missing[*]} " != *" ${service/nginx/nginx-light} "* ]] || as_root systemctl disable --now "$service" || true
		done
	fi
}

# Debian's Go may be too old to fetch the toolchain that go.mod asks for by itself (that began with Go 1.21); then it is
# fetched as the module it is, checked against the checksum database, and linked as build/go.
ensure_go() {
	local go version wanted answer dir
	go=$(command -v go || echo /usr/local/go/bin/go)
	[[ -x $go ]] || fail "no Go found: install Go 1.21 or newer (https://go.dev/dl/)"
	version=$("$go" env GOVERSION)
	if [[ $version =~ ^go1\.([0-9]+) && ${BASH_REMATCH[1]} -ge 21 ]]; then
		return
	fi
	wanted=$(sed -n 's/^go //p' "$top/go.mod")
	[[ ! -x $top/build/go/bin/go || $("$top/build/go/bin/go" env GOVERSION) != "go$wanted" ]] || return 0
	say "fetching Go $wanted, $go is $version"
	answer=$(cd / && "$go" mod download -json \
		"golang.org/toolchain@v0.0.1-go$wanted.$("$go" env GOOS)-$("$go" env GOARCH)") || true
	dir=$(sed -n 's/^\t"Dir": "\(.*\)",$/\1/p' <<<"$answer")
	if [[ ! -d $dir ]]; then
		sed -n 's/^\t"Error": "\(.*\)"$/deps: \1/p' <<<"$answer" >&2
		fail "cannot fetch Go $wanted: install Go 1.21 or newer (https://go.dev/dl/)"
	fi
	chmod -R u+w "$dir/bin" "$dir/pkg/tool"
	chmod +x "$dir"/bin/* "$dir"/pkg/tool/*/*
	mkdir -p "$top/build"
	ln -sfn -- "$dir" "$top/build/go"
}

install_packages
ensure_go
