#!/bin/sh
# Before the package's files go: stop the service, but not on an upgrade.
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl disable --now stagedoor.service
fi
