#!/usr/bin/env bash
# deb.sh PROGRAM DIRECTORY: makes a Debian package of that readyd, in that directory, and prints its path.
# Control file, maintainer scripts and changelog lie in deploy/debian; dpkg's own tools fill in what depends on the program.
set -euo pipefail
program=$(realpath "$1")
mkdir -p "$2"
out=$(realpath "$2")
cd "$(dirname "$0")/.."

version=$(dpkg-parsechangelog -l deploy/debian/changelog -S Version)
if [ "$("$program" --version)" != "readyd $version" ]; then
  echo "deb: deploy/debian/changelog is of $version, the program is $("$program" --version)" >&2
  exit 1
fi
# The same package for the same program, whenever it is made.
SOURCE_DATE_EPOCH=$(dpkg-parsechangelog -l deploy/debian/changelog -S Timestamp)
export SOURCE_DATE_EPOCH

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cp -r deploy/debian "$work/debian"
stage=$work/stage
put() { install -D -m "$1" "$2" "$stage/$3"; }

install -D -m 755 "$program" "$stage/usr/bin/readyd"
strip --strip-unneeded --remove-section=.comment --remove-section=.note "$stage/usr/bin/readyd"
put 644 deploy/readyd.yaml etc/readyd/readyd.yaml
put 644 deploy/systemd/readyd.service usr/lib/systemd/system/readyd.service
put 644 deploy/systemd/readyd.sysusers usr/lib/sysusers.d/readyd.conf
put 644 deploy/systemd/readyd-root.conf usr/share/doc/readyd/examples/readyd-root.conf
put 644 deploy/logrotate/readyd usr/share/doc/readyd/examples/logrotate
put 644 deploy/debian/copyright usr/share/doc/readyd/copyright
put 644 deploy/debian/changelog usr/share/doc/readyd/changelog
put 644 /dev/stdin usr/share/bash-completion/completions/readyd < <("$program" completions bash)
put 644 /dev/stdin usr/share/zsh/vendor-completions/_readyd < <("$program" completions zsh)
put 644 /dev/stdin usr/share/fish/vendor_completions.d/readyd.fish < <("$program" completions fish)
mkdir -p "$stage/usr/share/man/man1"
"$program" man "$stage/usr/share/man/man1"
gzip -9n "$stage"/usr/share/man/man1/* "$stage/usr/share/doc/readyd/changelog"

install -d -m 755 "$stage/DEBIAN"
install -m 755 deploy/debian/{postinst,prerm,postrm} "$stage/DEBIAN"
install -m 644 deploy/debian/conffiles "$stage/DEBIAN"
(
  cd "$work"
  dpkg-shlibdeps -Tdebian/substvars "$stage/usr/bin/readyd"
  dpkg-gencontrol -preadyd -Pstage -Tdebian/substvars -fdebian/files
)
(cd "$stage" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
package=$out/readyd_${version}_$(dpkg --print-architecture).deb
find "$stage" -type d -exec chmod 755 {} +
dpkg-deb --root-owner-group --build "$stage" "$package" >/dev/null
echo "$package"
