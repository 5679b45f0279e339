# shellcheck shell=bash
# Tools that Debian has: installed when we are root, named exactly when we are not. Nothing else is ever installed
# outside the cache folder, and no tool is fetched from anywhere but Debian and the package registries.

CARGO_VERSION_MIN=1.95
APT_LOG=

# Is a package's work already here, from wherever it came?
has_tool() {
    case $1 in
        g++) command -v g++ >/dev/null && command -v c++ >/dev/null ;;
        libclang-dev)
            # Not libclang-cpp, which is another library and often there alone.
            [[ -n ${LIBCLANG_PATH:-} ]] || compgen -G '/usr/lib/llvm-*/lib/libclang[.-][s0-9]*' >/dev/null \
                || compgen -G '/usr/lib/*/libclang[.-][s0-9]*' >/dev/null || compgen -G '/usr/lib*/libclang[.-][s0-9]*' >/dev/null
            ;;
        ccache) command -v ccache >/dev/null ;;
        pkg-config) command -v pkg-config >/dev/null ;;
        git) command -v git >/dev/null ;;
        iproute2) command -v ip >/dev/null || [[ -x /sbin/ip || -x /usr/sbin/ip ]] ;;
        util-linux) command -v unshare >/dev/null && command -v setsid >/dev/null && command -v flock >/dev/null ;;
        # The module alone is not enough: Debian's python3 has venv without ensurepip.
        python3-venv) python3 -c 'import venv, ensurepip' >/dev/null 2>&1 ;;
        ca-certificates) [[ -s /etc/ssl/certs/ca-certificates.crt || -s /etc/pki/tls/certs/ca-bundle.crt ]] ;;
        *) dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q ' installed$' ;;
    esac
}

# version_at_least HAVE WANT
version_at_least() { [[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]; }

# Empty where rustup's cargo stands for no toolchain.
cargo_version() { { "$1" --version 2>/dev/null || true; } | awk '{ print $2 }'; }

# Puts a cargo that is new enough first in PATH, if there is one.
find_cargo() {
    local dir version
    for dir in "$(dirname "$(command -v cargo || echo /none/cargo)")" "${CARGO_HOME:-$HOME/.cargo}/bin" /usr/bin; do
        [[ -x $dir/cargo ]] || continue
        version=$(cargo_version "$dir/cargo")
        if [[ -n $version ]] && version_at_least "$version" "$CARGO_VERSION_MIN"; then
            PATH=$dir:$PATH
            CARGO_FOUND="$dir/cargo $version"
            return 0
        fi
    done
    return 1
}

# Debian's packages of a tool of Rust that is missing beside the cargo in use.
rust_packages_missing() {
    local with_lints=$1
    find_cargo || echo rustc-web cargo-web
    if [[ $with_lints == yes ]]; then
        command -v cargo-fmt >/dev/null || echo rustfmt-web
        command -v cargo-clippy >/dev/null || echo rust-web-clippy
    fi
}

is_root() { [[ $(id -u) == 0 ]]; }

# apt_quietly ARGUMENTS… — its talk goes to a log that is shown when it fails.
apt_quietly() {
    APT_LOG=${APT_LOG:-$(mktemp "${TMPDIR:-/tmp}/kanhe-apt.XXXXXX.log")}
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" \
        >>"$APT_LOG" 2>&1 </dev/null
}

apt_candidate() { apt-cache policy "$1" 2>/dev/null | awk '/Candidate:/ && $2 != "(none)" { print $2 }'; }

# Lists of packages older than a week name files that mirrors have dropped.
apt_lists_are_old() {
    local newest package
    newest=$(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -newermt '-7 days' -print -quit 2>/dev/null || true)
    [[ -n $newest ]] || return 0
    for package in "$@"; do
        [[ -n $(apt_candidate "$package") ]] || return 0
    done
    [[ " $* " != *" cargo-web "* ]] || ! version_at_least "$(apt_candidate cargo-web)" "$CARGO_VERSION_MIN"
}

apt_install() {
    say "installing with apt: $*"
    if apt_lists_are_old "$@"; then
        apt_quietly update || true
    fi
    if ! apt_quietly install -y --no-install-recommends "$@"; then
        # The lists may be older than the mirror.
        if ! { apt_quietly update && apt_quietly install -y --no-install-recommends "$@"; }; then
            tail -n 30 "$APT_LOG" >&2
            die 2 "apt could not install: $*" "the whole log is $APT_LOG"
        fi
    fi
    rm -f "$APT_LOG"
    APT_LOG=
}

# Debian's own old cargo cannot stay beside the new one: never remove somebody's compiler unasked.
refuse_conflicting_rust() {
    local package
    for package in rustc cargo rustup; do
        if dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q ' installed$'; then
            die 2 "Debian's package '$package' is older than Rust $CARGO_VERSION_MIN and in the way of the newer one" \
                "replace it: apt-get install -y rustc-web cargo-web rustfmt-web rust-web-clippy (or: rustup update stable)"
        fi
    done
}

say_what_to_install() {
    if command -v apt-get >/dev/null; then
        printf 'error: missing on this machine: %s\n' "$*" >&2
        printf 'hint: ask an administrator to run:\n' >&2
        printf '    apt-get update && apt-get install -y --no-install-recommends %s\n' "$*" >&2
    else
        printf 'error: missing on this machine (names of Debian packages): %s\n' "$*" >&2
        printf 'hint: install the same tools with the package manager of your system\n' >&2
    fi
    exit 2
}

# First in PATH, so that a compiler asked for by name is the cached one. Debian's folder lacks `c++` where ccache was
# unpacked before the compiler's alternatives were set.
use_ccache() {
    local dir=/usr/lib/ccache name
    if [[ ! -e $dir/c++ || ! -e $dir/cc ]]; then
        dir=$KANHE_CACHE/ccache
        make_cache
        mkdir -p "$dir"
        for name in cc c++ gcc g++; do ln -sf "$(command -v ccache)" "$dir/$name"; done
    fi
    export PATH=$dir:$PATH
}

# ensure_prerequisites all|lints — `lints` with rustfmt and clippy. Leaves PATH with ccache, then a new enough cargo.
ensure_prerequisites() {
    local with_lints=no package missing=()
    [[ ${1:-} != lints ]] || with_lints=yes
    for package in ca-certificates g++ libclang-dev ccache pkg-config git iproute2 util-linux python3-venv; do
        has_tool "$package" || missing+=("$package")
    done
    local rust
    # shellcheck disable=SC2207 # package names have no spaces
    rust=($(rust_packages_missing "$with_lints"))
    missing+=("${rust[@]}")
    if ((${#missing[@]} > 0)); then
        if [[ " ${rust[*]} " == *" rustc-web "* ]] && command -v dpkg-query >/dev/null; then refuse_conflicting_rust; fi
        if ! is_root || ! command -v apt-get >/dev/null; then say_what_to_install "${missing[@]}"; fi
        apt_install "${missing[@]}"
    fi
    find_cargo || die 2 "no cargo of version $CARGO_VERSION_MIN or newer" \
        "rustup update stable; or on Debian 12 enable bookworm-security (cargo-web here: $(apt_candidate cargo-web))"
    use_ccache
    ok "tools present, $CARGO_FOUND"
}
