# Sourced by the scripts beside it: finds what is missing and installs it, or says what to install.

readonly RUST_HINT="Rust is missing: install it from https://rustup.rs (the version is in rust-toolchain.toml) and run this again"

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Shows the comment at the top of the calling script, when asked to.
help_if_asked() {
  case "${1:-}" in
    --help | -h)
      sed --quiet '2,/^$/ { s/^# \{0,1\}//p }' "$0"
      exit 0
      ;;
  esac
}

need_rust() {
  # rustup puts it here; a shell that was open before does not know yet.
  if ! command -v cargo > /dev/null && [[ -x "$HOME/.cargo/bin/cargo" ]]; then
    export PATH="$HOME/.cargo/bin:$PATH"
  fi
  command -v cargo > /dev/null || fail "$RUST_HINT"
}

# need_packages COMMAND=PACKAGE ...: installs the Debian package of each command that is missing.
need_packages() {
  local pair missing=()
  for pair in "$@"; do
    command -v "${pair%%=*}" > /dev/null || missing+=("${pair#*=}")
  done
  install_packages "${missing[@]}"
}

install_packages() {
  (($#)) || return 0
  if [[ "$(id --user)" != 0 ]] || ! command -v apt-get > /dev/null; then
    fail "these Debian packages are missing (or what your system calls them): apt-get install $*"
  fi
  say "installing with apt-get: $*"
  export DEBIAN_FRONTEND=noninteractive
  local install=(apt-get install --yes --quiet=2 --no-install-recommends "$@")
  # A fresh container has no package lists; an old machine has stale ones.
  "${install[@]}" > /dev/null 2>&1 && return 0
  apt-get update --quiet=2
  "${install[@]}" > /dev/null
}

# What building the server takes: a C and C++ compiler, cmake for the Opus library, nasm for OpenH264 (without it that
# library is built from its slower C code, and says nothing).
need_build_tools() {
  need_rust
  need_packages cc=gcc c++=g++ make=make cmake=cmake nasm=nasm
}

# need_node_modules FOLDER: npm packages of exactly the versions that its package.json names.
need_node_modules() {
  need_packages node=nodejs npm=npm
  local folder="$1"
  [[ "$folder/node_modules/.installed" -nt "$folder/package.json" ]] && return 0
  say "installing with npm: $folder"
  npm install --prefix "$folder" --no-package-lock --no-audit --no-fund --silent
  touch "$folder/node_modules/.installed"
}
