#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the Debian packages heed-server and heed-client, for the Debian release of this machine.
#
#   scripts/package.sh [--out=build-package/packages]
#
#   JOBS=N    compilers at a time
#
# scripts/check_package.sh then installs them in a system of their own, and tries them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=build-package/packages
for argument in "$@"; do
  case "$argument" in
    --out=?*) out=${argument#*=} ;;
    -h | --help) sed -n '2,/^set -/{/^set -/d;/SPDX-/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) echo "package: unknown argument '$argument'; see --help" >&2; exit 2 ;;
  esac
done
scripts/setup.sh --build
command -v dpkg-shlibdeps > /dev/null || { echo "package: needs: apt-get install dpkg-dev" >&2; exit 1; }

# A folder of its own, since what is packaged is linked as Debian asks: no relocation of a running program is writable.
BUILD_DIR=build-package scripts/build.sh -DHEED_TESTS=OFF -DHEED_BENCH=OFF -DCMAKE_INSTALL_PREFIX=/usr \
  -DCMAKE_EXE_LINKER_FLAGS=-Wl,-z,relro,-z,now
mkdir -p "$out"
rm -f "$out"/heed-*.deb
log=build-package/cpack.log
umask 022
cpack --config build-package/CPackConfig.cmake -B build-package/cpack > "$log" 2>&1 || { tail -n 30 "$log" >&2; exit 1; }
mv build-package/cpack/heed-*.deb "$out/"
for file in "$out"/heed-*.deb; do
  echo "package: $file ($(($(stat -c %s "$file") / 1024)) KiB)"
done
