#!/usr/bin/env bash
# packages.sh SECTION...: installs those packages of packages.txt that are missing, with apt (root, or sudo where there is one).
set -euo pipefail
list=$(dirname "${BASH_SOURCE[0]}")/packages.txt

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
known() { [ -n "$(apt-cache madison "$1" 2>/dev/null)" ]; }

# first_of CHECK a|b: the first alternative that passes the check
first_of() {
	local name
	for name in ${2//|/ }; do
		"$1" "$name" && { echo "$name"; return; }
	done
	return 1
}

missing=()
for section; do
	grep -qxF "[$section]" "$list" || { echo "packages.sh: no section [$section] in $list" >&2; exit 2; }
	while read -r line; do
		first_of installed "$line" >/dev/null || missing+=("$line")
	done < <(awk -v want="[$section]" '/^\[/ { on = $0 == want; next } on && NF && !/^#/' "$list")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || { echo "packages.sh: not installed: ${missing[*]} (run as root to install)" >&2; exit 1; }
	as_root=(sudo)
fi
echo "installing ${missing[*]}" >&2
"${as_root[@]}" apt-get update -qq
names=()
for line in "${missing[@]}"; do
	names+=("$(first_of known "$line")") || { echo "packages.sh: apt knows no ${line//|/ or }" >&2; exit 1; }
done
log=$(mktemp)
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${names[@]}" >"$log" 2>&1 ||
	{ tail -20 "$log" >&2; exit 1; }
rm -f "$log"
