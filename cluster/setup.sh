# Shared by cluster/quickstart and tests/run, to be sourced: puts in place what a local cluster needs, and nothing twice.
#
# Order: root, programs of Debian packages, a Python with venv, .venv, images. Each function ends the script with one sentence that
# says what to do when it cannot go on. apt's lists are only updated when something is missing.
# shellcheck shell=bash

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="$ROOT/.venv"
export CACHE=/var/cache/coxswain
POLICY=/usr/sbin/policy-rc.d
POLICY_IS_OURS=""
LISTS_ARE_NEW=""
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
export DEBIAN_FRONTEND=noninteractive

say() { printf '%s\n' "$*"; }

fail() {
    printf '%s: %s\n' "$0" "$*" >&2
    exit 1
}

need_root() {
    [ "$(id -u)" -eq 0 ] ||
        fail "needs root, because a local cluster makes namespaces, control groups and mounts; run it with sudo"
}

# Runs a command whose output matters only when it fails; the first argument says what is being done.
quietly() {
    local what="$1" log
    shift
    log="$(mktemp)"
    if ! "$@" >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        rm -f "$log"
        fail "$what failed; the reason is above"
    fi
    rm -f "$log"
}

# Whether a program is in PATH, or a file exists when an absolute path is given.
is_there() {
    case "$1" in
        /*) [ -e "$1" ] ;;
        *) command -v "$1" >/dev/null 2>&1 ;;
    esac
}

# Packages of the list files given of which something is missing, one a line.
missing_packages() {
    local package needs need
    while read -r package needs; do
        case "$package" in '' | '#'*) continue ;; esac
        for need in $needs; do
            if ! is_there "$need"; then
                printf '%s\n' "$package"
                break
            fi
        done
    done < <(cat "$@")
}

update_lists() {
    [ -z "$LISTS_ARE_NEW" ] || return 0
    quietly "updating the package lists (apt-get update; is there a network?)" apt-get update -q
    LISTS_ARE_NEW=yes
}

# Installs packages without starting their services now or at the next boot: a cluster runs its own copies of them.
install_packages() {
    [ $# -gt 0 ] || return 0
    command -v apt-get >/dev/null || fail "needs the Debian packages $*, and there is no apt-get here: install them by hand"
    need_root
    say "Installing Debian packages: $*"
    update_lists
    if [ ! -e "$POLICY" ]; then
        POLICY_IS_OURS=yes
        trap remove_policy EXIT
        printf '#!/bin/sh\nexit 101\n' >"$POLICY"
        chmod 755 "$POLICY"
    fi
    # --no-remove: nothing that is on this machine may go to make room.
    quietly "installing $* (apt-get install)" \
        apt-get install -q -y --no-install-recommends --no-remove -o Dpkg::Options::=--force-confold "$@"
    remove_policy
    disable_services "$@"
}

remove_policy() {
    if [ -n "$POLICY_IS_OURS" ]; then
        rm -f "$POLICY"
        POLICY_IS_OURS=""
    fi
}

disable_services() {
    local package service
    for package in "$@"; do
        if command -v systemctl >/dev/null; then
            for service in $(dpkg -L "$package" | sed -n 's#.*/systemd/system/\([^/@]*\.service\)$#\1#p' | sort -u); do
                quietly "disabling $service" systemctl disable -q "$service"
            done
        elif command -v update-rc.d >/dev/null; then
            for service in $(dpkg -L "$package" | sed -n 's#^/etc/init\.d/##p'); do
                quietly "disabling $service" update-rc.d "$service" disable
            done
        fi
    done
}

# Installs what is missing of the lists in the files given.
ensure_packages() {
    local missing
    mapfile -t missing < <(missing_packages "$@")
    install_packages "${missing[@]}"
}

# Prints a Python >= 3.11 that can make virtual environments, or nothing.
find_python() {
    local candidate
    for candidate in python3.13 python3.12 python3.11 python3 /usr/bin/python3; do
        if command -v "$candidate" >/dev/null && "$candidate" -c \
            'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
}

# Makes .venv with this project and its dependencies; the argument is `test` to add what the tests import, else empty. Skipped while
# pyproject.toml is the one that .venv was made from.
ensure_venv() {
    local extra="$1" python stamp made="" target="$ROOT"
    stamp="$(sha256sum <"$ROOT/pyproject.toml" | cut -d' ' -f1)"
    [ ! -e "$VENV/.stamp" ] || made="$(cat "$VENV/.stamp")"
    if "$VENV/bin/python" -c '' 2>/dev/null; then
        case "$made" in "$stamp $extra" | "$stamp test") return 0 ;; esac
    else
        python="$(find_python)"
        if [ -z "$python" ]; then
            install_packages python3 python3-venv
            python="$(find_python)"
            [ -n "$python" ] || fail "needs Python 3.11 or later, which Debian 12 has; the python3 here is older"
        fi
        say "Making .venv with $("$python" --version)"
        quietly "making a virtual environment ($python -m venv)" "$python" -m venv --clear "$VENV"
    fi
    # What tests brought stays: an environment that has more is also good for less.
    case "$made" in *" test") extra="test" ;; esac
    [ -z "$extra" ] || target="${ROOT}[$extra]"
    say "Installing Python packages into .venv"
    quietly "installing Python packages (pip install -e; is there a network?)" \
        "$VENV/bin/python" -m pip install -q --disable-pip-version-check -e "$target"
    printf '%s %s' "$stamp" "$extra" >"$VENV/.stamp"
}

# Builds the images that are not current; takes 0.1 s when all are.
ensure_images() {
    command -v dpkg-deb >/dev/null ||
        fail "builds its container images from Debian packages, so it needs Debian 12 (there is no dpkg-deb here)"
    (cd "$ROOT" && "$VENV/bin/python" -m cluster.images --bundle >/dev/null) || exit 1
}
