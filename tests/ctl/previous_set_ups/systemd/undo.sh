#!/bin/sh
# Undoes what `brokerctl setup` did here, also when token-broker is not installed any more.
# Whatever was changed since then is left alone, and named.
here=$(dirname "$0")
restore() { # FILE NUMBER LINE
    if [ ! -e "$1" ]; then
        :
    elif ! cmp -s "$1" "$here/$2.wrote"; then
        echo "$1 was changed since and stays${3:+; our line in it is: $3}"
    elif [ -e "$here/$2.before" ]; then
        cp -p "$here/$2.before" "$1"
    else
        rm "$1"
    fi
}
systemctl --user disable --now token-broker.socket 2>/dev/null; systemctl --user stop token-broker.service 2>/dev/null
restore @HOME@/.config/systemd/user/token-broker.service 8 ''
restore @HOME@/.config/systemd/user/token-broker.socket 7 ''
restore @HOME@/.config/fish/completions/brokerctl.fish 6 ''
restore @HOME@/.local/share/zsh/site-functions/_brokerctl 5 ''
restore @HOME@/.local/share/bash-completion/completions/brokerctl 4 ''
restore @HOME@/.config/pip/pip.conf 3 'keyring-provider = subprocess'
restore @HOME@/.config/uv/uv.toml 2 'keyring-provider = "subprocess"'
if [ "$(readlink @HOME@/.local/bin/keyring)" = /opt/token-broker/bin/keyring-shim ]; then rm @HOME@/.local/bin/keyring; fi
if [ ! -e @HOME@/.local/bin/keyring ] && [ ! -L @HOME@/.local/bin/keyring ]; then ln -s ../../apps/keyring @HOME@/.local/bin/keyring && rm @HOME@/.local/share/token-broker/replaced/keyring; fi
restore @HOME@/.config/token-broker/env.toml 1 ''
systemctl --user daemon-reload 2>/dev/null
[ "$(id -u)" != 0 ] || systemctl daemon-reload 2>/dev/null
rm -r "$here"
rmdir @HOME@/.config/systemd/user 2>/dev/null || :
rmdir @HOME@/.config/systemd 2>/dev/null || :
rmdir @HOME@/.IdentityService 2>/dev/null || :
rmdir @HOME@/.azd 2>/dev/null || :
rmdir @HOME@/.azure 2>/dev/null || :
rmdir @HOME@/.config/fish/completions 2>/dev/null || :
rmdir @HOME@/.config/fish 2>/dev/null || :
rmdir @HOME@/.local/share/zsh/site-functions 2>/dev/null || :
rmdir @HOME@/.local/share/zsh 2>/dev/null || :
rmdir @HOME@/.local/share/bash-completion/completions 2>/dev/null || :
rmdir @HOME@/.local/share/bash-completion 2>/dev/null || :
rmdir @HOME@/.local/share/token-broker/replaced 2>/dev/null || :
rmdir @HOME@/.config/token-broker 2>/dev/null || :
rmdir @HOME@/.local/share/token-broker 2>/dev/null || :
rmdir @HOME@/.local/share 2>/dev/null || :
