#!/usr/bin/env bash
# Builds supervisor.so, out of tree, for each PHP whose development files are installed, and puts it where the Go program
# embeds it.
#
#   build.sh            each php-config found
#   PHP_CONFIG=...      only these (a path, or several separated by blanks)
#   BUILD_DIR=...       where to build            (default: build, at the top of the repository)
#   LIB_DIR=...         where to put the results  (default: internal/phpext/lib)
#   CONFIGURE_ARGS=...  for configure             (default: none; --enable-supervisor-dev makes warnings errors)
#
# A PHP for which nothing has changed since the last time is left alone.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
build_dir=${BUILD_DIR:-$top/build}
lib_dir=${LIB_DIR:-$top/internal/phpext/lib}
configure_args=${CONFIGURE_ARGS:-}

say() { printf 'ext: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

# Prints the php-config programs to build for, each real file once.
find_php_configs() {
	local candidate dir
	local -A seen=()
	local -a candidates=()
	if [[ -n ${PHP_CONFIG:-} ]]; then
		read -r -a candidates <<<"$PHP_CONFIG"
		for candidate in "${candidates[@]}"; do
			[[ -x $(command -v -- "$candidate" || true) ]] || fail "PHP_CONFIG: '$candidate' is not a program"
		done
	else
		local -a path
		IFS=: read -r -a path <<<"$PATH:/usr/local/bin:/usr/bin"
		for dir in "${path[@]}"; do
			candidates+=("$dir"/php-config "$dir"/php-config[0-9]*)
		done
	fi
	for candidate in "${candidates[@]}"; do
		candidate=$(command -v -- "$candidate") || continue
		candidate=$(readlink -f -- "$candidate")
		[[ -x $candidate && -z ${seen[$candidate]:-} ]] || continue
		seen[$candidate]=1
		printf '%s\n' "$candidate"
	done
}

# Prints what keeps us from building and how to get it.
explain_missing() {
	say "no php-config found: the development files of PHP are missing"
	if [[ -e /etc/debian_version ]]; then
		local php version=
		for php in php php8.5 php8.4 php8.3 php8.2 php8.1; do
			if command -v "$php" >/dev/null; then
				version=$("$php" -n -r 'echo PHP_MAJOR_VERSION, ".", PHP_MINOR_VERSION;')
				break
			fi
		done
		say "install them with: apt-get install php$version-dev"
	else
		say "install phpize and php-config of your PHP, or say where they are: make ext PHP_CONFIG=/path/to/php-config"
	fi
}

# Prints the key of a PHP, from the headers the extension is going to be compiled with.
key_of() {
	local include api zts=nts debug=
	include=$("$1" --include-dir)
	[[ -r $include/Zend/zend_modules.h && -r $include/main/php_config.h ]] ||
		fail "$1: no headers in $include (install the development files of this PHP)"
	api=$(sed -n 's/^#define ZEND_MODULE_API_NO[[:space:]]\{1,\}\([0-9]\{1,\}\).*/\1/p' "$include/Zend/zend_modules.h")
	[[ -n $api ]] || fail "$1: no ZEND_MODULE_API_NO in $include/Zend/zend_modules.h"
	grep -Eq '^#define[[:space:]]+ZTS[[:space:]]+1' "$include/main/php_config.h" && zts=zts
	grep -Eq '^#define[[:space:]]+ZEND_DEBUG[[:space:]]+1' "$include/main/php_config.h" && debug=-debug
	printf '%s-%s%s\n' "$api" "$zts" "$debug"
}

# The sources of the library, relative to here. The stubs stay behind: where make sees one that looks newer than its
# arginfo.h it runs gen_stub.php, which wants to download a parser.
sources() { (cd "$here" && ls -- *.c *.h config.m4); }

# Makes the sources in $1 those of the tree. Times are kept, so that make sees what has changed; what is gone goes.
sync_sources() {
	local work=$1 file
	mkdir -p "$work/tests"
	for file in "$work"/*.c "$work"/*.h "$work"/*.stub.php; do
		[[ ${file##*/} == config.h || $file != *.stub.php && -e $here/${file##*/} ]] || rm -f -- "$file"
	done
	(cd "$here" && sources | while IFS= read -r file; do cmp -s "$file" "$work/$file" || cp -- "$file" "$work/$file"; done)
	rm -rf -- "$work/tests"
	[[ ! -d $here/tests ]] || cp -R -- "$here/tests" "$work/tests"
}

# Compiles the copy of the sources that is the working directory.
compile() {
	local php_config=$1 phpize=$2 configured
	configured=$(cat config.m4 - <<<"$php_config $("$php_config" --version) $configure_args" | sha256sum)
	if [[ ! -f Makefile || ! -f .configured || $(<.configured) != "$configured" ]]; then
		"$phpize" --clean
		"$phpize"
		# shellcheck disable=SC2086 # several arguments
		./configure --with-php-config="$php_config" $configure_args
		printf '%s\n' "$configured" >.configured
	fi
	# The Makefiles of older phpizes do not know which source needs which header.
	if [[ ! -f .headers || -n $(find . -maxdepth 1 -name '*.h' ! -name config.h -newer .headers) ]]; then
		rm -f -- ./*.lo ./*.o .libs/*.o
		touch .headers
	fi
	make -j2
}

build() {
	local php_config=$1 key work out stamp phpize log
	key=$(key_of "$php_config")
	work=$build_dir/ext-$key
	out=$lib_dir/supervisor-$key.so
	mkdir -p "$work" "$lib_dir"

	exec 9>"$build_dir/ext-$key.lock"
	flock 9

	sync_sources "$work"
	stamp=$({
		cat "${BASH_SOURCE[0]}"
		printf '%s\n' "$php_config" "$configure_args"
		"$php_config" --version
		cd "$here" && sources | xargs sha256sum --
	} | sha256sum)
	if [[ -s $out && -f $work/.built && $(<"$work/.built") == "$stamp" ]]; then
		say "$key: up to date"
		exec 9>&-
		return
	fi

	phpize=$(dirname -- "$php_config")/$(basename -- "$php_config" | sed 's/php-config/phpize/')
	[[ -x $phpize ]] || fail "$key: $phpize is missing (it belongs to the package of $php_config)"
	log=$work/build.log
	say "$key: building for PHP $("$php_config" --version)"
	rm -f -- "$work/.built"
	# Not as a condition: set -e would be off inside.
	local status=0
	set +e
	(
		set -e
		cd "$work"
		compile "$php_config" "$phpize"
	) >"$log" 2>&1
	status=$?
	set -e
	if [[ $status -ne 0 ]]; then
		grep -E 'error:|Error [0-9]|\*\*\*' "$log" >&2 || tail -n 40 "$log" >&2
		fail "$key: failed, see $log"
	fi
	if grep -q '[.][ch]:[0-9:]* warning: ' "$log"; then
		grep -A3 '[.][ch]:[0-9:]* warning: ' "$log" >&2
	fi

	# Without debugging information what is embedded is a tenth of the size; symbols for perf and backtraces stay.
	cp -- "$work/modules/supervisor.so" "$out.new"
	strip --strip-debug -- "$out.new" 2>/dev/null || true
	mv -f -- "$out.new" "$out"
	printf '%s\n' "$stamp" >"$work/.built"
	say "$key: $(stat -c %s -- "$out") bytes in ${out#"$top"/}"
	exec 9>&-
}

# Not a process substitution: that loses the status, and needs /dev/fd, which a bare chroot lacks.
list=$(find_php_configs)
if [[ -z $list ]]; then
	explain_missing
	exit 1
fi
mapfile -t configs <<<"$list"
for tool in make cc autoconf flock; do
	command -v "$tool" >/dev/null || fail "$tool is missing (apt-get install make gcc autoconf util-linux)"
done
for config in "${configs[@]}"; do
	build "$config"
done
