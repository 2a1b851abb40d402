#!/usr/bin/env bash
# Installs what a Debian machine lacks. `setup.sh build`: to build and run; `setup.sh test`: for the suites too.
set -euo pipefail

build=(gcc clang make pkg-config libseccomp-dev jq curl git openssl ca-certificates iproute2 util-linux)
test=(zsh tcsh bubblewrap socat rsync strace procps psmisc lsof busybox-static tmux python3 perl gdb
    ntfs-3g openssh-server openssh-client dnsutils netcat-openbsd python3-pip sqlite3 time file vim less
    ltrace parallel python3-venv nghttp2-client ccache dbus-daemon dumb-init eatmydata expect fakeroot gosu
    moreutils numactl opendoas proxychains4 sudo tini torsocks nano htop screen)
# Often there without being a package.
command -v node >/dev/null || test+=(nodejs)
command -v npm >/dev/null || test+=(npm)
command -v go >/dev/null || test+=(golang-go)
command -v javac >/dev/null || test+=(default-jdk-headless)

packages=("${build[@]}")
[ "${1:-build}" = test ] && packages+=("${test[@]}")

missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" != 0 ]; then
        echo "these packages are missing; install them as root: ${missing[*]}" >&2
        exit 1
    fi
    echo "installing: ${missing[*]}" >&2
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

# The vendors' clients for Python, and one for the frames of HTTP/2, which the proxy's suite drives, and a driver of
# terminals; in a folder of the sources' own.
python="$(dirname "$0")/../target/suite/python"
if [ "${1:-build}" = test ] && { [ ! -d "$python/anthropic" ] || [ ! -d "$python/h2" ] || [ ! -d "$python/pexpect" ]; }; then
    /usr/bin/python3 -m pip install -q --root-user-action ignore --target "$python" anthropic==2.14.0 openai==3.57.0 google-genai==3.6.1 ollama==0.6.3 h2==4.2.0 pexpect==4.9.0
fi

# Suites of others for HTTP, which are driven against the proxy: the requests that gunicorn's parser is tested with, and
# (once there is a cargo) the cases of httpwg.
suites="$(dirname "$0")/../target/suite"
if [ "${1:-build}" = test ] && [ ! -d "$suites/gunicorn/tests/requests" ]; then
    fetched="$(mktemp -d)"
    /usr/bin/python3 -m pip download -q --no-deps --no-binary :all: --dest "$fetched" gunicorn==23.0.0
    mkdir -p "$suites/gunicorn"
    tar -xzf "$fetched/gunicorn-23.0.0.tar.gz" -C "$suites/gunicorn" --strip-components 1 gunicorn-23.0.0/tests/requests
    rm -r "$fetched"
fi

if ! command -v cargo >/dev/null; then
    # Debian 13 and later have rustup; older releases have no Rust that is new enough.
    if [ "$(id -u)" = 0 ] && apt-get install -y -qq rustup >/dev/null 2>&1; then
        rustup default 1.95
    else
        echo "Rust 1.95 or newer is needed: see https://www.rust-lang.org/tools/install" >&2
        exit 1
    fi
fi

# The shim is linked with musl where that can be had, else with glibc.
musl="$(uname -m)-unknown-linux-musl"
if command -v rustup >/dev/null && [ ! -d "$(rustc --print target-libdir --target "$musl")" ]; then
    rustup target add "$musl" >/dev/null 2>&1 || echo "no $musl here: the shim is linked with glibc" >&2
fi

if [ "${1:-build}" = test ] && [ ! -x "$suites/httpwg/bin/httpwg" ]; then
    # Unoptimized it is built in two thirds of the time, and fast enough.
    CARGO_PROFILE_DEV_DEBUG=0 cargo install -q --debug --locked --root "$suites/httpwg" --version 0.2.5 httpwg-cli
fi
