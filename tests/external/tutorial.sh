#!/usr/bin/env bash
# Does what docs/tutorial.md says, outside the tree: installs weir, writes the page's files (```c NAME), compiles and runs
# them.
#
#   tests/external/tutorial.sh BUILD-FOLDER COMPILER [SANITIZERS]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(cd "$1" && pwd) cc=$2 sanitize=${3:+-fsanitize=$3}
page=$here/../../docs/tutorial.md
work=$build/tutorial
prefix=$work/prefix
rm -rf "$work"
mkdir -p "$work"

cmake --install "$build" --prefix "$prefix" --component weir >"$work/install.log"
awk -v to="$work/" '/^```c [a-z_]+\.[ch]$/ { file = to $2; next } /^```/ { file = ""; next } file { print > file }' "$page"

PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name weir.pc)")
export PKG_CONFIG_PATH
cd "$work"
for program in test_counts counts ask; do
	"$cc" -std=c11 -Wall -Wextra -Werror $sanitize $program.c $(pkg-config --cflags --libs weir) -o $program
done
./test_counts
[[ "$(./ask)" == "partition "?": 1" ]] || { echo "ask said: $(./ask)" >&2; exit 1; }
./counts --describe | grep -q '^  counts (count)' || { echo "counts --describe does not show the count" >&2; exit 1; }
