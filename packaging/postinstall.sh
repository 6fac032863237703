#!/bin/sh
# After the package's files are in place: make the user, and on an upgrade run
# the new version.
set -e
systemd-sysusers stagedoor.conf
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  systemctl try-restart stagedoor.service
fi
if [ ! -e /etc/stagedoor/relay.toml ]; then
  echo "Write /etc/stagedoor/relay.toml (stagedoor config example prints one), then: systemctl enable --now stagedoor"
fi
