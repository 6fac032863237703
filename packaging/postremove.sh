#!/bin/sh
# After the package's files are gone. The database and the keys stay.
set -e
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
fi
