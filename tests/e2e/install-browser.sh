#!/bin/sh
# Make sure that there is a Chromium for tests/e2e. Debian's package where we may install it; else say what will be skipped.
set -eu

for name in chromium chromium-browser google-chrome google-chrome-stable; do
  command -v "$name" >/dev/null && exit 0
done

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "No Chromium on this system: installing Debian's"
  export DEBIAN_FRONTEND=noninteractive
  if apt-get update -q && apt-get install -q -y --no-install-recommends chromium fonts-liberation; then
    exit 0
  fi
fi

echo "No Chromium: the tests in tests/e2e will be skipped; install your system's chromium package to run them." >&2
[ "${CI:-}" != true ]
