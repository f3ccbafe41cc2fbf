#!/usr/bin/env bash
# Installs weir from a build folder into a folder of its own; builds and runs main.c against that, by pkg-config and by
# find_package; compiles each public header alone.
#
#   tests/external/run.sh BUILD-FOLDER COMPILER [SANITIZERS]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(cd "$1" && pwd) cc=$2 sanitize=${3:+-fsanitize=$3}
work=$build/external
prefix=$work/prefix
rm -rf "$work"
mkdir -p "$work"

expect_hello() {
	local said
	said=$("$1")
	[ "$said" = hello ] || { echo "$1 said: $said" >&2; exit 1; }
}

cmake --install "$build" --prefix "$prefix" --component weir >"$work/install.log"

flags=(-std=c11 -Wall -Wextra -Wpedantic -Werror $sanitize)
export PKG_CONFIG_PATH
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name weir.pc)")
for library in -lweir -lrdkafka -lrocksdb; do
	[[ " $(pkg-config --libs weir) " == *" $library "* ]] ||
		{ echo "pkg-config --libs weir: $library is missing" >&2; exit 1; }
done
"$cc" "${flags[@]}" $(pkg-config --cflags weir) "$here/main.c" $(pkg-config --libs weir) -o "$work/by-pkg-config"
expect_hello "$work/by-pkg-config"

printf '#include <stdio.h>\n#include <weir/version.h>\nint main(void) { puts(weir_version()); }\n' |
	"$cc" "${flags[@]}" -x c - -x none $(pkg-config --cflags --libs weir) -o "$work/version"
version=$("$work/version")
[ "$version" = "$(pkg-config --modversion weir)" ] || { echo "weir_version() is $version" >&2; exit 1; }

for header in "$prefix"/include/weir/*.h; do
	echo "#include <weir/$(basename "$header")>" |
		"$cc" "${flags[@]}" $(pkg-config --cflags weir) -fsyntax-only -x c -
done

unset PKG_CONFIG_PATH
cmake -G Ninja -S "$here" -B "$work/by-cmake" -DCMAKE_C_COMPILER="$cc" -DCMAKE_PREFIX_PATH="$prefix" \
	-DCMAKE_C_FLAGS="$sanitize" -DCMAKE_BUILD_TYPE=Debug >"$work/configure.log"
cmake --build "$work/by-cmake" >"$work/build.log" || { cat "$work/build.log" >&2; exit 1; }
expect_hello "$work/by-cmake/stranger"
