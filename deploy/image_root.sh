#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Lays out the root of an image that holds nothing but programs and what they need (the Dockerfile runs it in Debian).
#
#   image_root.sh ROOT PROGRAM...
#
# ROOT gets the programs and the shared libraries that they load; names of users, hosts and services; the certificates of
# the public authorities; and of each Debian package that a file came from its entry in /var/lib/dpkg/status.d, where
# scanners of images look, and its copyright. Fails where a library is not found.
set -eu
root=$1
shift

# As Debian 12: /lib and the like lead to /usr/lib.
mkdir -p "$root/usr/lib" "$root/usr/lib64" "$root/usr/local/bin" "$root/etc/ssl/certs" "$root/var/lib/dpkg/status.d" \
  "$root/usr/share/doc"
ln -s usr/lib "$root/lib"
ln -s usr/lib64 "$root/lib64"
# In the modes that the image keeps; tmp is for a tmpfs.
mkdir -m 1777 "$root/tmp"

files=$(ldd "$@" | sed -nE 's/^.* => (\/[^ ]+) .*$/\1/p; s/^[[:space:]]+(\/[^ ]+) .*$/\1/p' | sort -u)
if ldd "$@" | grep 'not found' >&2; then
  echo "image_root: libraries are missing (above): install their packages in deploy/Dockerfile" >&2
  exit 1
fi
for file in "$@" $files; do
  mkdir -p "$root$(dirname "$file")"
  cp -L "$file" "$root$file"
done
ldconfig -r "$root"

# What terminals can do, for lines that are edited (`heed chat`).
cp -rL /lib/terminfo "$root/usr/lib/"

cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
cp /etc/os-release /etc/services /etc/protocols "$root/etc/" 2> /dev/null || cp /etc/os-release "$root/etc/"
mkdir -p "$root/usr/lib/ssl"
ln -s /etc/ssl/certs "$root/usr/lib/ssl/certs"
echo 'hosts: files dns' > "$root/etc/nsswitch.conf"
printf '%s\n' 'root:x:0:0:root:/:/nonexistent' 'heed:x:10001:10001:Heed:/:/nonexistent' > "$root/etc/passwd"
printf '%s\n' 'root:x:0:' 'heed:x:10001:' > "$root/etc/group"

# A file of /lib may be known as one of /usr/lib and the other way round.
packages=$(for file in $files; do
  real=$(readlink -f "$file")
  dpkg -S "$file" "$real" "/usr$file" "${real#/usr}" 2> /dev/null | head -n 1 | cut -d : -f 1
done | sort -u)
for package in $packages ca-certificates ncurses-base; do
  dpkg-query -s "$package" > "$root/var/lib/dpkg/status.d/$package"
  mkdir -p "$root/usr/share/doc/$package"
  cp -L "/usr/share/doc/$package/copyright" "$root/usr/share/doc/$package/"
done
cp -r /usr/share/doc/heed "$root/usr/share/doc/"
