#!/bin/bash
# Process 1 of a machine of our own: a real systemd, in the namespaces that machine.py has made for it.
#
#   boot.sh WORK PACKAGES PATH...    WORK is an empty directory; each PATH is to be readable for the machine's
#                                    users, and PACKAGES too, as /srv/site-packages: a sandbox hides /tmp.
#
# /run, /home, /etc, /opt, /usr/local and /var/lib are private, alice (1001), bob (1002) and carol (1003) have empty homes
# there, and whatever reaches past the namespaces (clocks, kernel settings, /tmp) is masked. What is mounted here ends with the namespace.
set -eu
work=$1 packages=$2
shift 2
mount --make-rprivate /
mount -t proc proc /proc

# What an administrator installs and sets up is written into memory, over what is there.
mkdir "$work/over"
mount -t tmpfs -o mode=755 tmpfs "$work/over"
for folder in /opt /usr/local /var/lib; do
    mkdir -p "$work/over$folder/upper" "$work/over$folder/work"
    mount -t overlay -o "lowerdir=$folder,upperdir=$work/over$folder/upper,workdir=$work/over$folder/work" overlay "$folder"
done

mkdir "$work/packages"
mount --rbind "$packages" "$work/packages"
mount -t tmpfs -o mode=755 tmpfs /srv
mkdir /srv/site-packages
mount --rbind "$work/packages" /srv/site-packages

# A path below a directory that only root may enter (/root, a checkout below mktemp -d) is laid open: an
# enterable directory is put over the first closed one, with nothing in it but the path.
number=0
for path in "$@"; do
    number=$((number + 1))
    mkdir "$work/kept-$number"
    mount --rbind "$path" "$work/kept-$number"
done
number=0
for path in "$@"; do
    number=$((number + 1))
    closed=
    above=$path
    while above=$(dirname "$above"); [ "$above" != / ]; do
        [ -z "$(find "$above" -maxdepth 0 -perm -005)" ] && closed=$above
    done
    if [ -n "$closed" ]; then
        [ "$(stat -f -c %T "$closed")" = tmpfs ] || mount -t tmpfs -o mode=755 tmpfs "$closed"
        mkdir -p "$path"
        mount --rbind "$work/kept-$number" "$path"
    elif [ ! -e "$path" ]; then
        mkdir -p "$path" # it was below a directory that has just been laid open
        mount --rbind "$work/kept-$number" "$path"
    fi
done

mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/systemd/system
install -d -g systemd-journal -m 2755 /run/log /run/log/journal # as systemd-tmpfiles would
mount -t tmpfs -o mode=755 tmpfs /home
umount -l /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 cgroup2 /sys/fs/cgroup

cp -a /etc "$work/etc"
mount --bind "$work/etc" /etc
for user in alice:1001 bob:1002 carol:1003; do
    name=${user%:*} id=${user#*:}
    echo "$name:x:$id:$id::/home/$name:/bin/bash" >>/etc/passwd
    echo "$name:x:$id:" >>/etc/group
    echo "$name:*:19000:0:99999:7:::" >>/etc/shadow
    # alice may read the journal, the others may not
    [ "$name" != alice ] || sed -i "s/^\(systemd-journal:.*\)$/\1$name/" /etc/group
    install -d -o "$id" -g "$id" -m 700 "/home/$name"
done

for unit in systemd-tmpfiles-setup.service systemd-tmpfiles-setup-dev.service systemd-tmpfiles-clean.service \
    systemd-sysctl.service systemd-modules-load.service systemd-random-seed.service systemd-timesyncd.service \
    systemd-udevd.service systemd-udev-trigger.service systemd-udevd-control.socket systemd-udevd-kernel.socket \
    systemd-remount-fs.service systemd-binfmt.service systemd-update-utmp.service \
    systemd-machine-id-commit.service systemd-pstore.service systemd-journal-flush.service \
    kmod-static-nodes.service timers.target getty.target remote-fs.target swap.target local-fs.target \
    multi-user.target graphical.target; do
    ln -s /dev/null "/run/systemd/system/$unit"
done
mkdir -p /run/systemd/system/systemd-logind.service.d
printf '[Service]\nPrivateTmp=no\n' >/run/systemd/system/systemd-logind.service.d/shared-tmp.conf

# What systemd mounts aside for a unit's credentials is to be seen by the unit: within the namespace, no further.
mount --make-rshared /

export container=unshare
exec /lib/systemd/systemd --system --unit=basic.target --log-target=null --show-status=0 \
    </dev/null >/dev/null 2>&1
